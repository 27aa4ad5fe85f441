"""An event that is delivered twice counts once, on a real broker and a real Postgres."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from kafka import TopicPartition

from events.envelope import Event, Metadata, encode
from events.payloads import ErrorComputed, FeaturesComputed, ModelTrained, OffsetRange, Payload
from flows import monitor
from infra.bootstrap import Loop
from infra.kafka import scanning
from infra.kafka.records import Outgoing, Run, of_kind
from infra.kafka.slices import open_slice
from infra.kafka.source import Source
from infra.wiring import Route
from sensors.dispatch import Result
from sensors.failures import Outcome
from sensors.isolate import give_up
from tasks.deliveries import read_once
from tasks.redriving import Choice, chosen, retry
from tests.desk import DAY, Desk, event, predict, vector


@pytest.fixture
def loop(desk: Desk) -> Iterator[Loop]:
    """The adapters on the light stack."""
    loop = Loop(desk.settings)
    yield loop
    loop.close()


def work_off(loop: Loop, desk: Desk, span: OffsetRange, *, commit: bool = True) -> dict[str, int]:
    """Take a slice as `predict` does; returns its counts."""
    with open_slice(loop.pool, Run(desk.flow, "run"), [span]) as work:
        for received in of_kind(read_once(loop, work), FeaturesComputed):
            predict(work, received)
        if commit:
            work.commit()
    return work.counts


def test_a_repeat_in_the_same_slice_or_a_later_one_makes_nothing(loop: Loop, desk: Desk) -> None:
    """The first delivery counts, whoever wrote the second."""
    one, two = event(vector()), event(vector("UPPER"))
    assert work_off(loop, desk, desk.feed(one, two, one)) == {"in": 3, "repeated": 1, "out": 2}
    assert work_off(loop, desk, desk.feed(two, one)) == {"in": 2, "repeated": 2}
    assert len(desk.made()) == 2


def test_a_retry_with_other_boundaries_finds_the_same_repeats(loop: Loop, desk: Desk) -> None:
    """What a failed attempt remembered, also of later offsets, makes no first delivery a repeat."""
    one, two = event(vector()), event(vector("UPPER"))
    span = desk.feed(one, two, one, two)
    work_off(loop, desk, span, commit=False)
    counts = []
    while (at := desk.at or 0) < span.end:
        end = min(at + 1, span.end)
        counts.append(work_off(loop, desk, span.model_copy(update={"start": at, "end": end})))
    assert sum(c.get("out", 0) for c in counts) == 2
    assert sum(c.get("repeated", 0) for c in counts) == 2


def test_flows_remember_each_for_itself(loop: Loop, desk: Desk) -> None:
    """What one flow was handed is new to another."""
    other = Desk(desk.settings)
    span = desk.feed(event(vector()))
    other.put(span.start)
    assert work_off(loop, desk, span)["out"] == work_off(loop, other, span)["out"] == 1
    other.close()


def test_errors_that_were_given_up_are_not_held_against_the_model(loop: Loop) -> None:
    """An attempt left them in the monitor's window, then they became letters: no retraining follows."""
    version, days = uuid.uuid4().hex, [DAY + timedelta(days=n) for n in range(7)]
    trained = ModelTrained(
        model_version=version, performance={"mape": 1.0}, features_used=[], artifact_location="s3://m"
    )
    feed(loop, "models", trained)
    watch(loop)
    feed(loop, "errors", *(bad(version, day) for day in days[:5]))
    watch(loop, commit=False)
    route = Route("sensor-test", "monitor", ("errors",))
    give_up(loop.settings, route, [unwatched(loop)], Result(Outcome.DATA, version))
    feed(loop, "errors", bad(version, days[5]))
    assert watch(loop) == []
    letters = chosen(loop, Choice(flow="monitor", reason=version))
    retry(loop, letters, {"monitor": monitor.steps})
    feed(loop, "errors", bad(version, days[6]))
    assert watch(loop) == ["training"]


def bad(version: str, day: date) -> ErrorComputed:
    """A prediction that was far off, of a symbol that belongs into partition 0."""
    figures = {"predicted": 1.3, "actual": 1.0, "error": 0.3, "abs_error": 0.3, "pct_error": 8.0}
    return ErrorComputed(symbol="NICA", date=day, model_version=version, **figures)


def feed(loop: Loop, topic: str, *payloads: Payload) -> None:
    """Commit events."""
    source = Source(loop.pool, f"feed-{uuid.uuid4().hex}")
    source.open()
    for payload in payloads:
        name = uuid.uuid4().hex
        value = encode(Event(datetime.now(UTC), "test", payload, Metadata(name, name)))
        source.publish([Outgoing(topic, payload.key.encode() or b"model", value)])
    source.close()


def unwatched(loop: Loop) -> OffsetRange:
    """Name the errors that the monitor has not seen."""
    spot = TopicPartition("errors", 0)
    with loop.pool.reader("monitor") as reader:
        ends, _ = scanning.settled_ends(loop.settings, reader, [spot])
        return OffsetRange(topic="errors", partition=0, start=reader.committed(spot), end=ends["errors", 0])


def watch(loop: Loop, *, commit: bool = True) -> list[str]:
    """Let the monitor see them; tells on which topics it published besides alerts."""
    if spare := loop.pool.take_producer("monitor.errors-0"):
        spare.discard()  # giving up and redriving fence it
    with open_slice(loop.pool, Run("monitor", "run"), [unwatched(loop)]) as work:
        if work.done:
            return []
        monitor.steps(loop.as_of(), work)
        if commit:
            work.commit()
    return [out.topic for out in work.outgoing if out.topic != "alerts"]
