"""Settings of broker and topics that silence would break."""

from dataclasses import replace
from pathlib import Path

import pytest

from events.topics import TOPICS, Topic
from infra.errors import StopError
from infra.kafka import checks
from infra.kafka.checks import YEAR_MINUTES, broker_faults, topic_faults
from infra.kafka.topics import check
from infra.settings import Settings, load_settings
from infra.stack.broker import properties

GOOD = {
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "min.insync.replicas": "1",
    "cleanup.policy": "delete",
    "max.message.bytes": "1048588",
    "unclean.leader.election.enable": "false",
}
FEATURES, LETTERS = TOPICS["features"], TOPICS["dead-letters"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a home of its own."""
    return load_settings(tmp_path)


def test_the_local_broker_is_as_it_has_to_be(settings: Settings) -> None:
    """What is written into its configuration passes."""
    config = dict(line.split("=", 1) for line in properties(settings).splitlines())
    assert broker_faults(config, settings) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("offsets.retention.minutes", str(7 * 24 * 60)),
        ("transaction.max.timeout.ms", "10000"),
        ("message.max.bytes", "1048588"),
        ("auto.create.topics.enable", "true"),
        ("unclean.leader.election.enable", "true"),
    ],
)
def test_a_broker_that_forgets_or_refuses_is_named(settings: Settings, name: str, text: str) -> None:
    """Each setting by itself, and also where the broker does not tell it."""
    config = dict(line.split("=", 1) for line in properties(settings).splitlines())
    (found,) = broker_faults({**config, name: text}, settings)
    assert found.startswith(f"{name} is {text}, ")
    del config[name]
    assert broker_faults(config, settings)[0].startswith(f"{name} is not known")


def test_more_than_needed_is_well(settings: Settings) -> None:
    """A broker of somebody else need not be set up like ours."""
    config = dict(line.split("=", 1) for line in properties(settings).splitlines())
    assert broker_faults({**config, "offsets.retention.minutes": str(2 * YEAR_MINUTES)}, settings) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("retention.ms", "604800000"),
        ("retention.bytes", "1000"),
        ("cleanup.policy", "compact"),
        ("min.insync.replicas", "2"),
        ("unclean.leader.election.enable", "true"),
    ],
)
def test_a_topic_that_loses_records_is_named(name: str, text: str) -> None:
    """Retention, compaction, replicas that can't be reached, and a leader that lags."""
    assert topic_faults(FEATURES, GOOD, 1) == []
    (found,) = topic_faults(FEATURES, {**GOOD, name: text}, 1)
    assert found.startswith(f"topic features: {name} is {text}, ")


def test_dead_letters_have_to_take_large_records() -> None:
    """A letter holds its original."""
    good = {**GOOD, "retention.ms": LETTERS.config["retention.ms"], "max.message.bytes": "5000000"}
    assert topic_faults(LETTERS, good, 1) == []
    assert "max.message.bytes" in topic_faults(LETTERS, {**good, "max.message.bytes": "1048588"}, 1)[0]
    assert "max.message.bytes" in topic_faults(replace(LETTERS, config={}), GOOD, 1)[0]
    assert topic_faults(LETTERS, {**good, "retention.ms": "-1"}, 1) == []


def test_three_replicas_are_of_no_use_if_one_is_enough() -> None:
    """An acknowledged record has to be in two of them."""
    assert "at least 2 is needed" in topic_faults(FEATURES, GOOD, 3)[0]
    assert topic_faults(FEATURES, {**GOOD, "min.insync.replicas": "2"}, 3) == []


def test_a_topic_that_is_missing_is_named() -> None:
    """With how to make it."""
    assert topic_faults(FEATURES, None, 0) == [
        "there is no topic features: run 'nepse up', or python -m infra.stack.setup kafka"
    ]


def test_joined_topics_have_as_many_partitions(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the topics are declared apart: pairs would lie in partitions of different numbers."""
    check(settings, {"predictions": 3, "actuals": 3})
    monkeypatch.setitem(TOPICS, "actuals", Topic("actuals", ("ActualAvailable",), "symbol"))
    with pytest.raises(StopError, match="predictions and actuals must have the same number"):
        check(settings, {"predictions": 3, "actuals": 1})


def test_what_a_flow_writes_is_looked_at_as_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sensor names what its flow reads; the broker is asked about all of our topics."""
    asked: list[str] = []
    monkeypatch.setattr(checks, "faults", lambda _, topics: asked.extend(topics) or [])
    checks.require(settings, ["features"])
    assert set(asked) >= {"features", "predictions", "redrives", *TOPICS}


def test_every_count_that_changed_is_named(settings: Settings) -> None:
    """At once, so that nobody mends one after the other."""
    with pytest.raises(StopError, match="topic errors has 4 partitions, expected 3; topic models has 2"):
        check(settings, {"errors": 4, "features": 3, "models": 2})


def test_time_outs_that_do_not_fit_are_refused(tmp_path: Path, settings: Settings) -> None:
    """A record that may still arrive when its transaction is aborted proves nothing."""
    assert settings.delivery_timeout_ms < settings.transaction_timeout_ms == 20_000
    with pytest.raises(ValueError, match="has to be below NEPSE_TRANSACTION_TIMEOUT_MS, which is 12000"):
        load_settings(tmp_path, transaction_timeout_ms=12_000)


def test_a_copy_has_a_name_that_kafka_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's, made fit, unless a setting names it."""
    monkeypatch.setattr("socket.gethostname", lambda: "büro pc.local")
    assert load_settings(tmp_path).copy_name == "b-ro-pc.local"
    assert load_settings(tmp_path, instance="second").copy_name == "second"


def test_topics_of_a_cluster_need_their_replicas() -> None:
    """A topic that was made with fewer than the setting asks for is named."""
    good = {**GOOD, "min.insync.replicas": "2"}
    assert topic_faults(FEATURES, good, 3, 3) == []
    assert topic_faults(FEATURES, GOOD, 1, 3) == [
        "topic features has 1 replicas, NEPSE_REPLICATION asks for 3"
    ]
    assert "min.insync.replicas is 1, at least 2" in topic_faults(FEATURES, GOOD, 3, 3)[0]


def test_progress_and_transactions_need_their_replicas(tmp_path: Path) -> None:
    """A cluster whose own topics die with one broker is no cluster."""
    settings = load_settings(tmp_path, replication=3)
    config = dict(line.split("=", 1) for line in properties(settings).splitlines())
    copies = ("offsets.topic.replication.factor", "transaction.state.log.replication.factor")
    fewest = ("transaction.state.log.min.isr", "min.insync.replicas")
    assert [one.split()[0] for one in broker_faults(config, settings)] == [*copies, *fewest]
    assert broker_faults(config | dict.fromkeys(copies, "3") | dict.fromkeys(fewest, "2"), settings) == []
