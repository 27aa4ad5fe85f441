"""What the process tells of itself: values that are true, and series that end with what they are about."""

import re
import socket
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from events.payloads import ModelTrained
from infra import metrics
from infra.database import facts
from infra.database.facts import SessionErrors
from infra.errors import TryAgainError
from infra.kafka import follow
from infra.kafka.lag import Progress, Standing
from infra.settings import load_settings
from infra.stack import ports
from infra.telemetry import owned
from infra.telemetry.owned import MOST_MARKS, Owned
from tasks import showing
from tasks.showing import Showing
from tests.topic_in_memory import Log

SPOT, OTHER = TopicPartition("features", 0), TopicPartition("features", 1)
NOW = datetime(2024, 3, 5, 9, 15, tzinfo=UTC)  # 15:00 in Kathmandu


def value(name: str, **labels: str) -> float | None:
    """Give what a scrape would find; None where there is no such series."""
    return REGISTRY.get_sample_value(name, labels)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        """Begin at some time."""
        self.now = 1_000.0

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now


class Shown:
    """What a registry of this test holds of a flow's first partition."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing was seen yet."""
        self.registry, self.clock = CollectorRegistry(), Clock()
        monkeypatch.setattr(owned, "time", self.clock)
        self.owned = Owned("offsets", "seconds", self.registry)

    def see(self, at: int, end: int, later: float = 0.0) -> tuple[float | None, float | None]:
        """Look at the partition, then let time go by; gives offsets and seconds as they are then."""
        self.owned.see("predict", {SPOT: at}, {SPOT: end})
        self.clock.now += later
        labels = {"flow": "predict", "topic": "features", "partition": "0"}
        return tuple(self.registry.get_sample_value(name, labels) for name in ("offsets", "seconds"))  # type: ignore[return-value]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Lag of one flow."""
    return Shown(monkeypatch)


def test_lag_is_how_much_and_since_when(shown: Shown) -> None:
    """Nothing at the end; from the first look at something unread on the seconds grow by themselves."""
    assert shown.see(5, 5, later=60) == (0, 0)
    assert shown.see(5, 8, later=2) == (3, 2)
    assert shown.see(5, 20, later=3) == (15, 5)


def test_seconds_are_those_of_the_oldest_that_is_left(shown: Shown) -> None:
    """Progress under load: what was worked off no longer counts, though something always waits."""
    shown.see(0, 10, later=4)
    shown.see(0, 30, later=1)
    assert shown.see(10, 40, later=1) == (30, 2)
    assert shown.see(35, 40, later=1) == (5, 2)
    assert shown.see(40, 40, later=1) == (0, 0)


def test_a_long_outage_keeps_the_age_and_no_more_marks_than_it_needs(shown: Shown) -> None:
    """However often somebody looks meanwhile."""
    for end in range(1, 5 * MOST_MARKS):
        shown.see(0, end, later=1)
    offsets, seconds = shown.see(0, 5 * MOST_MARKS)
    assert (offsets, seconds) == (5 * MOST_MARKS, 5 * MOST_MARKS - 1)
    [one] = shown.owned._standings.values()
    assert len(one.marks) <= MOST_MARKS + 1


def test_partitions_that_left_are_not_shown(shown: Shown) -> None:
    """One by one, or all of a flow; others' stay."""
    shown.owned.see("predict", {SPOT: 0, OTHER: 0}, {SPOT: 1, OTHER: 2})
    shown.owned.see("monitor", {SPOT: 0}, {SPOT: 3})
    shown.owned.leave("predict", (OTHER,))
    assert _flows(shown) == [("monitor", 3), ("predict", 1)]
    shown.owned.leave("predict")
    assert _flows(shown) == [("monitor", 3)]


def test_a_projector_that_tries_again_keeps_its_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is when its lag is asked for; it goes with the projector."""
    stop, seen = Event(), list[float | None]()

    def lag() -> float | None:
        return value("nepse_lag_offsets", flow="projector-of-a-test", topic="features", partition="0")

    def batches(*_: object) -> list[object]:
        if not seen:
            metrics.OWNED.see("projector-of-a-test", {SPOT: 0}, {SPOT: 5})
        seen.append(lag())
        if len(seen) == 2:
            stop.set()
            return []
        message = "no database"
        raise TryAgainError(message)

    monkeypatch.setattr(follow, "_batches", batches)
    monkeypatch.setattr(follow, "LONGEST_BACKOFF", 0.0)
    settings: Any = None
    follow.follow(settings, ["features"], lambda _: {}, lambda _: None, stop, name="projector-of-a-test")
    assert (seen, lag()) == ([5, 5], None)


def _flows(shown: Shown) -> list[tuple[str, float]]:
    [offsets] = [family for family in shown.registry.collect() if family.name == "offsets"]
    return sorted((sample.labels["flow"], sample.value) for sample in offsets.samples)


def test_a_slice_is_counted_whole() -> None:
    """Records with and without a value, their bytes, how long it took and how late it was."""
    before = value("nepse_records_total", flow="counted", direction="in") or 0
    metrics.read("counted", (b"abc", None), 2.0, 0.3)
    metrics.read("counted", (), None, 0.1)
    assert value("nepse_records_total", flow="counted", direction="in") == before + 2
    assert value("nepse_bytes_total", flow="counted", direction="in") == 3
    assert value("nepse_slice_records_sum", flow="counted") == 2
    assert value("nepse_slice_duration_seconds_count", flow="counted") == 2
    assert value("nepse_slice_delay_seconds_count", flow="counted") == 1


@pytest.mark.parametrize(
    ("name", "flow"),
    [
        ("join-errors", "join-errors"),
        ("join-errors.2", "join-errors"),
        ("predict.features-0", "predict"),
        ("source.ingest", "ingest"),
        ("source.block.predict", "block"),
    ],
)
def test_a_label_names_who_publishes(name: str, flow: str) -> None:
    """Neither a partition nor what a publisher calls its transactions."""
    assert metrics.flow_of(name) == flow


def test_the_metrics_are_served(tmp_path: Path) -> None:
    """On the process's own port, as text; a process whose port is taken goes on without."""
    offset = next(n for n in range(21_000, 40_000, 7) if ports.free("127.0.0.1", 9102 + n))
    settings = load_settings(tmp_path, port_offset=offset)
    metrics.serve(settings, "judging")
    with urllib.request.urlopen(f"http://127.0.0.1:{9102 + offset}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert "# TYPE nepse_slice_duration_seconds histogram" in text
    assert re.search(r'^nepse_dead_letters_total\{flow="predict"\} \d+\.0$', text, re.MULTILINE)
    assert "_created" not in text


def test_a_port_that_is_taken_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A second copy on the machine: it works, and says what it lacks."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        metrics.serve(load_settings(tmp_path, metrics_port=other.getsockname()[1]), "judging")
    assert "NEPSE_METRICS_PORT" in caplog.text


def test_what_others_do_not_know_they_do_not_show() -> None:
    """Not even as 0, by which a watch would seem to have looked last in 1970."""
    gauge = Gauge("test_looked_timestamp_seconds", "When.", registry=None)
    assert value("test_looked_timestamp_seconds") is None
    for now in (5.0, 6.0):
        metrics.alone(gauge, now)
        assert value("test_looked_timestamp_seconds") == now
    REGISTRY.unregister(gauge)
    for one in (metrics.WATCH_LOOKED, metrics.SESSION_AGE):
        assert one in metrics._alone or one not in REGISTRY._collector_to_names


def progress(lag: int, waited: float, *partitions: int) -> dict[str, Progress]:
    """Let a flow stand somewhere."""
    return {"monitor": Progress(tuple(Standing("errors", one, lag, waited) for one in partitions))}


class World:
    """The servers as the watch sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A session with two versions' errors, of which one serves."""
        v1, v2 = (
            ModelTrained(
                model_version=version,
                features_used=["a"],
                performance={},
                artifact_location="s3://m",
                training_end=date(2024, 3, 1),
                promoted=version == "v1",
            )
            for version in ("v1", "v2")
        )
        self.models, self.offset = Log("models", v1, v2), 1
        self.errors = [SessionErrors("v1", date(2024, 3, 4), 9.0, 2.0, 0.1, None)]
        monkeypatch.setattr(facts, "reached", lambda *_: (self.offset,))
        monkeypatch.setattr(facts, "errors", lambda *_: self.errors)
        monkeypatch.setattr(showing, "held_until", lambda *_: (date(2024, 3, 3), date(2024, 3, 4)))
        loop: Any = SimpleNamespace(database=None, models=self.models)
        self.showing = Showing(loop)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of this test."""
    return World(monkeypatch)


def test_the_watch_shows_how_all_flows_stand(world: World) -> None:
    """Also of processes that stand still; what is no longer asked for is not shown."""
    labels = {"flow": "monitor", "topic": "errors"}
    world.showing.show(lambda: progress(3, 12.5, 0, 1), NOW)
    assert value("nepse_watched_lag_offsets", **labels, partition="1") == 3
    assert value("nepse_watched_lag_seconds", **labels, partition="0") == 12.5
    assert value("nepse_watch_look_timestamp_seconds") == NOW.timestamp()
    world.showing.show(lambda: progress(4, 1.0, 0), NOW)
    assert value("nepse_watched_lag_offsets", **labels, partition="1") is None
    world.showing.show(_away, NOW)
    assert value("nepse_watched_lag_offsets", **labels, partition="0") is None


def _away() -> dict[str, Progress]:
    message = "the broker is away"
    raise TryAgainError(message)


def test_the_watch_shows_forecasts_and_models(world: World) -> None:
    """Of the newest session; versions that it has none of are not shown any more."""
    world.showing.show(dict, NOW + timedelta(hours=1))
    assert value("nepse_prediction_error_ratio", model_version="v1") == pytest.approx(0.02)
    assert value("nepse_interval_coverage_ratio", model_version="v1") == pytest.approx(0.9)
    assert value("nepse_last_session_age_seconds") == 25 * 3_600
    assert value("nepse_model_version_info", model_version="v1", role="champion") == 1
    assert value("nepse_model_version_info", model_version="v2", role="challenger") == 1
    world.errors = [SessionErrors("v2", date(2024, 3, 5), 9.0, 1.0, None, None)]
    world.showing.show(dict, NOW)
    assert value("nepse_prediction_error_ratio", model_version="v2") is None  # the read side has not moved
    world.offset += 1
    world.showing.show(dict, NOW)
    assert value("nepse_prediction_error_ratio", model_version="v2") == pytest.approx(0.01)
    assert value("nepse_prediction_error_ratio", model_version="v1") is None
    assert value("nepse_interval_coverage_ratio", model_version="v1") is None
