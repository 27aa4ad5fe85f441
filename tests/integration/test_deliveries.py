"""An event that is delivered twice counts once, on a real broker and a real Postgres."""

from collections.abc import Iterator

import pytest

from events.payloads import FeaturesComputed, OffsetRange
from infra.bootstrap import Loop
from infra.kafka.records import Run, of_kind
from infra.kafka.slices import open_slice
from tasks.deliveries import read_once
from tests.desk import Desk, event, predict, vector


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
