"""A sensor's own decisions from turn to turn, without servers: what it cuts, when, and what it lets go."""

import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError
from prometheus_client import REGISTRY

from events.payloads import OffsetRange
from infra import metrics
from infra.errors import StopError, SupersededError, TryAgainError
from infra.settings import load_settings
from infra.wiring import Route
from sensors import sensor as module
from sensors import settle
from sensors.dispatch import Result
from sensors.failures import Outcome
from sensors.plan import Patience
from sensors.sensor import Sensor
from sensors.settle import Work

ONE, TWO = TopicPartition("features", 0), TopicPartition("features", 1)


class Member:
    """A membership as the sensor sees it: what is assigned, and where topics end."""

    def __init__(self, *spots: TopicPartition, end: int = 0) -> None:
        """Hold these partitions, which all begin at 0."""
        self.mine, self.end, self.is_in = set(spots), end, True

    def joined(self) -> bool:
        """Tell whether the group has answered."""
        return self.is_in

    def assigned(self) -> set[TopicPartition]:
        """Tell which partitions are ours."""
        return self.mine

    def ends(self, spots: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Tell where they end."""
        return dict.fromkeys(spots, self.end)

    @staticmethod
    def progress(unit: tuple[TopicPartition, ...]) -> dict[TopicPartition, int]:
        """Tell where the group stands."""
        return dict.fromkeys(unit, 0)

    def require_there(self, starts: dict[TopicPartition, int]) -> None:
        """Find everything there."""


def test_an_outage_ends_a_sensor_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither failed nor crashed: nobody is called for a broker that is away, which the watch tells of."""

    def broken(*_: object) -> None:
        message = "no broker"
        raise TryAgainError(message)

    monkeypatch.setattr(module.checks, "require", broken)
    monkeypatch.setattr(module, "get_run_logger", lambda: logging.getLogger("test"))
    metrics.OWNED.see("predict", {ONE: 0}, {ONE: 7})
    state = module.sensor.fn("predict", ["features"])
    assert lag(0) == 7
    metrics.OWNED.leave("predict")
    assert state is not None
    assert (state.name, state.type.value) == ("Away", "CANCELLED")


class Execute:
    """What would do the slices; asking for earlier attempts may fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        """Nothing was done."""
        self.failure = failure

    def __call__(self, ranges: list[OffsetRange]) -> Result:
        """Do them."""
        return Result(Outcome.DONE, str(ranges))

    def deaths(self) -> list[list[OffsetRange]]:
        """Tell what ended with its process."""
        if self.failure:
            raise self.failure
        return []

    def release(self, unit: tuple[TopicPartition, ...]) -> None:
        """End nothing."""


def a_sensor(home: Path, execute: Any = None, **parameters: Any) -> Sensor:
    """Make one that has not run."""
    route = Route("sensor-predict", "predict", ("features",), **parameters)
    settings = load_settings(home, instance="one", slice_records=1_000, slice_linger_ms=60_000)
    return Sensor(settings, route, execute or Execute(), threading.Event(), logging.getLogger("test-sensor"))


def taken_up(sensor: Sensor, member: Any) -> Work:
    """Follow the assignment and take its one unit up."""
    sensor._follow_assignment(member)
    (work,) = sensor.work.values()
    sensor._take_up(member, [work])
    assert work.taken_up
    return work


def started(sensor: Sensor, member: Any, work: Work) -> list[OffsetRange]:
    """Let the sensor start what it wants to; returns the ranges that it handed over."""
    handed: list[OffsetRange] = []

    def submit(ranges: list[OffsetRange]) -> "Future[Result]":
        handed.extend(ranges)
        return Future()

    sensor._start(member, [work], submit)
    return handed


def test_a_slice_waits_a_little_for_more(tmp_path: Path) -> None:
    """Once: few records are handed over when the linger is over, and not before."""
    sensor, member = a_sensor(tmp_path, linger_ms=300), Member(ONE, end=3)
    work = taken_up(sensor, member)
    began = time.monotonic()
    assert started(sensor, member, work) == []
    member.end = 5
    while not (handed := started(sensor, member, work)):
        time.sleep(0.01)
    assert 0.3 <= time.monotonic() - began < 2
    assert [(one.start, one.end) for one in handed] == [(0, 5)]


def test_a_full_slice_waits_for_nothing(tmp_path: Path) -> None:
    """It holds as many records as the deployment says, however many there are, at once."""
    sensor, member = a_sensor(tmp_path, records=75), Member(ONE, end=5_000)
    assert [(one.start, one.end) for one in started(sensor, member, taken_up(sensor, member))] == [(0, 75)]
    other = a_sensor(tmp_path)  # the setting's number where the deployment says none
    assert [one.end for one in started(other, member, taken_up(other, member))] == [1_000]


def test_what_was_lost_is_let_go(tmp_path: Path) -> None:
    """A partition that another copy has now is not planned any more, nor is it said to wait."""
    sensor, member = a_sensor(tmp_path), Member(ONE, TWO)
    sensor._follow_assignment(member)  # type: ignore[arg-type]
    kept = sensor.work[TWO,]
    sensor.diary.paused((ONE,), 1.0, "the broker is away")
    member.mine = {TWO}
    sensor._follow_assignment(member)  # type: ignore[arg-type]
    assert sensor.work == {(TWO,): kept}
    assert sensor.diary._pauses == {}
    member.mine = {ONE, TWO}
    sensor._follow_assignment(member)  # type: ignore[arg-type]
    assert not sensor.work[ONE,].taken_up
    assert sensor.work[TWO,] is kept


def test_the_lag_of_what_is_ours_is_shown(tmp_path: Path) -> None:
    """From the first look on, until the partition is somebody else's."""
    sensor, member = a_sensor(tmp_path), Member(ONE, end=7)
    labels = {"flow": "predict", "topic": "features", "partition": "0"}
    started(sensor, member, taken_up(sensor, member))
    assert REGISTRY.get_sample_value("nepse_lag_offsets", labels) == 7
    member.mine = set()
    sensor._follow_assignment(member)  # type: ignore[arg-type]
    assert REGISTRY.get_sample_value("nepse_lag_offsets", labels) is None
    assert REGISTRY.get_sample_value("nepse_lag_seconds", labels) is None


def lag(partition: int) -> float | None:
    """What is shown as the lag of a partition."""
    labels = {"flow": "predict", "topic": "features", "partition": str(partition)}
    return REGISTRY.get_sample_value("nepse_lag_offsets", labels)


@pytest.mark.parametrize(
    ("ends", "shown"),
    [(TryAgainError("away"), 7), (KafkaError("away"), 7), (SupersededError("other"), None), (None, None)],
    ids=["an outage", "one that the client tells", "another took over", "told to stop"],
)
def test_an_outage_does_not_hide_lag(ends: Exception | None, shown: float | None) -> None:
    """It is when lag is asked for; whoever ends otherwise takes it along."""
    metrics.OWNED.see("predict", {ONE: 0}, {ONE: 7})
    with suppress(type(ends) if ends else StopError), module.lag_shown("predict"):
        if ends:
            raise ends
    assert lag(0) == shown
    metrics.OWNED.leave("predict")


def test_who_is_back_shows_what_is_ours_now(tmp_path: Path) -> None:
    """As soon as the group has answered, maybe that another copy has it; until then all that was ours."""
    metrics.OWNED.see("predict", {ONE: 0, TWO: 0}, {ONE: 7, TWO: 9})
    sensor, member = a_sensor(tmp_path), Member(end=7)
    member.is_in = False
    sensor._follow_assignment(member)  # type: ignore[arg-type]
    assert (lag(0), lag(1)) == (7, 9)
    member.is_in, member.mine = True, {ONE}
    sensor._follow_assignment(member)  # type: ignore[arg-type]
    assert (lag(0), lag(1)) == (7, None)
    metrics.OWNED.leave("predict")


def test_who_can_not_ask_for_earlier_attempts_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the failure: no record was looked at yet, so that none can be given up."""
    letters: list[Any] = []
    monkeypatch.setattr(settle, "servers_away", lambda _: "")
    monkeypatch.setattr(settle, "give_up", lambda *arguments: letters.append(arguments))
    sensor, member = a_sensor(tmp_path, Execute(KeyError("slices"))), Member(ONE, end=1)
    work = Work((ONE,), Patience(1, 1))
    work.ranges = [OffsetRange(topic="features", partition=0, start=0, end=1)]
    for waits in range(1, 6):
        sensor._take_up(member, [work])  # type: ignore[arg-type]
        assert (work.patience.waits, work.patience.failures, work.taken_up) == (waits, 0, False)
        assert work.not_before > time.monotonic()
    assert letters == []


def test_a_stop_while_asking_for_earlier_attempts_stops(tmp_path: Path) -> None:
    """A person has to decide."""
    sensor = a_sensor(tmp_path, Execute(StopError("no such deployment")))
    with pytest.raises(StopError, match="no such deployment"):
        sensor._take_up(Member(ONE), [Work((ONE,), Patience(1, 1))])  # type: ignore[arg-type]
