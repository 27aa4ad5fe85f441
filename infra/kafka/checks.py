"""What the broker and the topics have to be set to, because nothing would fail at once without it.

A broker that forgets a group's offsets, or a topic that forgets records, is noticed weeks later. So it is
looked at before a sensor starts, on a broker of somebody else as well.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from events.topics import DAY_MS, LETTER_BYTES, TOPICS, Topic
from infra.errors import StopError
from infra.kafka import clients
from infra.kafka.topics import SAFE_COPIES, check
from infra.settings import Settings

YEAR_MINUTES = 365 * DAY_MS // 60_000
KEPT_FOREVER = -1
UNCLEAN = "unclean.leader.election.enable"
"""A replica that lags may become leader: what was acknowledged by all in-sync ones is lost."""
FIXED = {"cleanup.policy": "delete", UNCLEAN: "false"}
"""What every topic is set to, and nothing else will do."""
ASK_SECONDS = 40.0

Config = Mapping[str, str]


def require(settings: Settings, topics: Sequence[str] = ()) -> None:
    """Refuse to work with a broker or with topics that would lose something silently.

    All of our topics are looked at, whichever a flow reads: what it writes is lost as silently.

    Args:
        settings: where the broker is, and what is asked of it.
        topics: what is read besides.

    Raises:
        StopError: a setting is wrong, a topic is missing, or a partition count has changed.
        TryAgainError: the broker did not answer.
    """
    with clients.answering(settings):
        found = faults(settings, (*TOPICS, *topics))
    if found:
        message = (
            f"the broker at {settings.bootstrap} is not set up as this system needs it: {'; '.join(found)}."
            f" Mend it (kafka-configs.sh --alter), then start the sensors again"
        )
        raise StopError(message)


def faults(settings: Settings, topics: Sequence[str] = tuple(TOPICS)) -> list[str]:
    """Name what is wrong with the broker and these topics, each with what it has to be.

    Raises:
        StopError: a topic has another number of partitions than expected.
        TryAgainError: the broker did not answer.
    """
    names = sorted(set(topics))
    told = clients.asked(settings, partial(_told_by, names), ASK_SECONDS, "how broker and topics are set up")
    check(settings, {name: len(partitions) for name, partitions in told.there.items()})
    found = [fault for config in told.brokers.values() for fault in broker_faults(config, settings)]
    for name in names:
        copies = _copies(told.there.get(name, []))
        found += topic_faults(TOPICS[name], told.configs.get(name), copies, settings.replication)
    return found


class _Told(NamedTuple):
    """Brokers' settings, the partitions of the topics that are there, and these topics' settings."""

    brokers: dict[str, dict[str, str]]
    there: dict[str, list[dict[str, Any]]]
    configs: dict[str, dict[str, str]]


def _told_by(names: list[str], admin: KafkaAdminClient) -> _Told:
    """Put all questions, for whoever bounds them together."""
    nodes = [str(node["broker_id"]) for node in admin.describe_cluster()["brokers"]]
    brokers = _configs(admin, ConfigResourceType.BROKER, nodes)
    there = {t["name"]: t["partitions"] for t in admin.describe_topics(names) if t["partitions"]}
    return _Told(brokers, there, _configs(admin, ConfigResourceType.TOPIC, list(there)))


def _configs(admin: KafkaAdminClient, kind: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """Read the settings in force, by the name of the broker or topic."""
    if not names:
        return {}
    found = admin.describe_configs([ConfigResource(kind, name) for name in names], config_filter="all")
    return {
        name: {setting: text["value"] for setting, text in config.items()}
        for configs in found.values()
        for name, config in configs.items()
    }


def _copies(partitions: list[dict[str, Any]]) -> int:
    return min((len(partition["replica_nodes"]) for partition in partitions), default=0)


def broker_faults(config: Config, settings: Settings) -> list[str]:
    """Compare a broker's settings in force with what is relied on; more is always well."""
    least = {
        "offsets.retention.minutes": YEAR_MINUTES,
        "transaction.max.timeout.ms": settings.transaction_timeout_ms,
        "message.max.bytes": clients.MAX_REQUEST_BYTES,
        **_copied(settings.replication),
    }
    found = [_told(name, config, f"at least {n}") for name, n in least.items() if _number(config, name) < n]
    off = ("auto.create.topics.enable", UNCLEAN)
    return found + [_told(name, config, "false") for name in off if config.get(name) != "false"]


def _copied(replication: int) -> dict[str, int]:
    """Progress and transactions have to outlive a broker as the records do."""
    if replication == 1:
        return {}
    names = ("offsets.topic.replication.factor", "transaction.state.log.replication.factor")
    fewest = ("transaction.state.log.min.isr", "min.insync.replicas") if replication >= SAFE_COPIES else ()
    return dict.fromkeys(names, replication) | dict.fromkeys(fewest, 2)


def topic_faults(topic: Topic, config: Config | None, copies: int, replication: int = 1) -> list[str]:
    """Compare a topic's settings in force with how it is declared, and its replicas with those asked for."""
    if config is None:
        return [f"there is no topic {topic.name}: run 'nepse up', or python -m infra.stack.setup kafka"]
    if copies < replication:
        return [f"topic {topic.name} has {copies} replicas, NEPSE_REPLICATION asks for {replication}"]
    rules: list[tuple[str, Callable[[float], bool], str]] = [
        *((name, _keeps(float(text)), f"at least {text}") for name, text in topic.config.items()),
        ("min.insync.replicas", lambda n: n <= copies, f"at most {copies}, the number of replicas"),
    ]
    if topic.name == "dead-letters":
        rules.append(("max.message.bytes", lambda n: n >= LETTER_BYTES, f"at least {LETTER_BYTES}"))
    if copies >= SAFE_COPIES:
        rules.append(("min.insync.replicas", lambda n: n > 1, "at least 2"))
    found = [(name, words) for name, good, words in rules if not good(_number(config, name))]
    found += [(name, text) for name, text in FIXED.items() if config.get(name) != text]
    return [f"topic {topic.name}: {_told(name, config, words)}" for name, words in dict.fromkeys(found)]


def _keeps(least: float) -> Callable[[float], bool]:
    """Accept what is kept as long, or for ever (-1)."""
    if least == KEPT_FOREVER:
        return lambda n: n == KEPT_FOREVER
    return lambda n: n == KEPT_FOREVER or n >= least


def _number(config: Config, name: str) -> float:
    """Read a number; one that the broker did not tell counts as too small."""
    text = config.get(name)
    return float(text) if text is not None else float("-inf")


def _told(name: str, config: Config, wanted: str) -> str:
    return f"{name} is {config.get(name, 'not known')}, {wanted} is needed"
