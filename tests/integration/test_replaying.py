"""Past slices are taken again on a real broker and compared event by event."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from events.payloads import FeaturesComputed, ModelRetrainingTriggered, OffsetRange, PredictionMade
from infra.bootstrap import Loop
from infra.errors import UsageError
from infra.kafka.records import Run, of_kind
from infra.kafka.slices import open_slice
from infra.kafka.source import Source
from infra.kafka.work import Work
from tasks.replaying import Wanted, chosen, replay
from tasks.work import Account
from tests.desk import DAY, Desk, vector

Steps = Callable[[Loop, Work], Account]


def predicting(close: float, *, skip: int = 0, also: str = "") -> Steps:
    """Make the steps of a flow that predicts `close`, but not for the first `skip` vectors."""

    def steps(_loop: Loop, work: Work) -> Account:
        for received in of_kind(work.read(), FeaturesComputed)[skip:]:
            symbol = received.payload.symbol
            made = PredictionMade(symbol=symbol, date=DAY, predicted_close=close, model_version="v0")
            for subject in filter(None, (symbol, also)):
                work.publish("predictions", made, received, subject)
        return Account()

    return steps


class Archive:
    """A flow with one committed slice of two vectors and a letter."""

    def __init__(self, desk: Desk) -> None:
        """Commit the slice as the live loop does."""
        self.desk, self.loop = desk, Loop(desk.settings)
        span = desk.feed(vector(), b"not JSON", vector("UPPER"))
        with open_slice(desk.pool, Run(desk.flow, "then"), [span]) as work:
            predicting(1.0)(self.loop, work)
            work.commit()

    def replay(self, steps: Steps, *, publish: bool = False) -> dict[str, Any]:
        """Take it again with these steps."""
        slices = chosen(self.loop, Wanted(run_id="then", flow=None))
        ours = [one for one in slices if one.entry.flow == self.desk.flow]
        (told,) = replay(self.loop, ours, {self.desk.flow: steps}, publish=publish)
        return told.as_dict()


@pytest.fixture
def archive(desk: Desk) -> Iterator[Archive]:
    """The archive of this test's flow."""
    archive = Archive(desk)
    yield archive
    archive.loop.close()


def test_the_same_code_gives_the_same_events_and_publishes_nothing(archive: Archive) -> None:
    """Events and dead letters are compared; the group and the topics stay as they were."""
    before = archive.desk.at
    assert archive.replay(predicting(1.0))["counts"] == {"identical": 3}
    assert archive.desk.at == before
    assert len(archive.desk.made()) == 2


def test_what_differs_is_missing_or_extra_is_told(archive: Archive) -> None:
    """Each finding names the event, and a difference the fields with both values."""
    told = archive.replay(predicting(2.0, skip=1, also="once more"))
    assert told["counts"] == {"different": 1, "extra": 1, "missing": 1, "identical": 1}
    fields = [finding["fields"] for finding in told["findings"] if finding["kind"] == "different"]
    assert fields == [["predicted_close: 1.0 -> 2.0"]]


def test_corrections_are_published_once_as_the_next_revision(archive: Archive) -> None:
    """After that a replay finds them in force, and publishing again adds nothing."""
    told = archive.replay(predicting(2.0, also="once more"), publish=True)
    assert (told["counts"], told["published"]) == ({"different": 2, "extra": 2, "identical": 1}, 4)
    made = [event.payload for event in archive.desk.made()]
    assert sorted((p.predicted_close, p.revision) for p in made) == [
        *[(1.0, 0), (1.0, 0)],
        *[(2.0, 0), (2.0, 0)],
        *[(2.0, 1), (2.0, 1)],
    ]
    again = archive.replay(predicting(2.0, also="once more"), publish=True)
    assert (again["counts"], again["published"]) == ({"identical": 5}, 0)


def test_a_replay_looks_up_what_the_run_could_know(archive: Archive) -> None:
    """A request that came after the slice is not seen, though the topic has it now."""
    seen: list[int] = []

    def counting(loop: Loop, work: Work) -> Account:
        seen.append(len(loop.training.between(0, loop.training.refresh())))
        work.read()
        return Account()

    desk = archive.desk
    span = desk.feed(vector())
    with open_slice(desk.pool, Run(desk.flow, "counted"), [span]) as work:
        view = archive.loop.as_of()
        counting(view, work)
        work.commit(looked_up=view.looked_up)
    _ask(archive)
    found = chosen(archive.loop, Wanted(run_id="counted"))
    slices = [one for one in found if one.entry.flow == archive.desk.flow]
    replay(archive.loop, slices, {archive.desk.flow: counting}, publish=False)
    assert seen[0] == seen[1]
    assert len(archive.loop.training.between(0, archive.loop.training.refresh())) == seen[0] + 1


def _ask(archive: Archive) -> None:
    work = Work(archive.desk.settings, Run(archive.desk.flow, "ask"), [], lambda ranges: ([], ranges))
    trigger = ModelRetrainingTriggered(reason="test", data_end_date=DAY)
    cause: Any = type(
        "Cause", (), {"id": archive.desk.flow, "correlation_id": "x", "place": ("raw-data", 0, 0)}
    )
    work.publish("training", trigger, cause, "test")
    source = Source(archive.loop.pool, archive.desk.flow)
    source.open()
    source.publish(work.outgoing)
    source.close()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Wanted(run_id="nobody"), "no such slice"),
        (Wanted(flow="nothing"), "no such slice"),
        (Wanted(), "say which slices"),
        (Wanted(run_id="then", flow="predict"), "say which slices"),
        (Wanted(run_id="then", span=OffsetRange(topic="features", partition=0, start=0, end=1)), "say which"),
    ],
)
def test_what_the_ledger_does_not_have_is_said(archive: Archive, wanted: Wanted, sentence: str) -> None:
    """A run that committed nothing can't be taken again, and nothing that was asked for is passed over."""
    with pytest.raises(UsageError, match=sentence):
        chosen(archive.loop, wanted)
