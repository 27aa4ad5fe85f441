"""What a sensor does after each kind of end of a run."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import TopicPartition
from prefect.states import Cancelled, Crashed, Failed
from prometheus_client import REGISTRY

from events.payloads import OffsetRange
from infra.errors import StopError, SupersededError, TryAgainError
from infra.settings import Settings, load_settings
from infra.stack.conditions import conditions
from infra.wiring import Route
from sensors import dispatch, settle
from sensors.diary import Diary
from sensors.dispatch import Result, judge
from sensors.failures import Outcome
from sensors.plan import Patience, cut
from sensors.settle import Settling, Work

SPOT = TopicPartition("features", 0)
ROUTE = Route("sensor-predict", "predict", ("features",))
BAD = Result(Outcome.DATA, "KeyError: 'close'")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a home of its own."""
    return load_settings(tmp_path, instance="one")


@pytest.fixture
def settling(settings: Settings) -> Iterator[Settling]:
    """The end of a run, without servers."""
    log = logging.getLogger("test-settle")
    with Diary(settings, ROUTE.name, log) as diary:
        yield Settling(settings, ROUTE, log, diary)


def a_unit(offsets: int = 1) -> Work:
    """A unit whose slice of so many offsets has just ended."""
    work = Work((SPOT,), Patience(100, 100), taken_up=True)
    work.ranges = [OffsetRange(topic="features", partition=0, start=5, end=5 + offsets)]
    return work


def fail(settling: Settling, work: Work, result: Result) -> None:
    """End the same slice again."""
    ranges = work.ranges
    settling.settle(work, result)
    work.ranges = ranges


def given_up(monkeypatch: pytest.MonkeyPatch, away: str = "") -> list[str]:
    """Note what is given up, while these servers are away."""
    letters: list[str] = []
    monkeypatch.setattr(settle, "servers_away", lambda _: away)
    monkeypatch.setattr(settle, "give_up", lambda *arguments: letters.append(arguments[3].why))
    return letters


def test_a_record_at_fault_is_given_up_at_its_second_failure(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sooner, and never more often."""
    letters, work = given_up(monkeypatch), a_unit()
    fail(settling, work, BAD)
    assert letters == []
    fail(settling, work, BAD)
    assert letters == [BAD.why]


def test_what_is_tried_again_is_counted(settling: Settling) -> None:
    """By why; a slice that is done is not."""
    labels = {"flow": "predict", "outcome": "again"}
    before = REGISTRY.get_sample_value("nepse_retries_total", labels) or 0
    fail(settling, a_unit(), Result(Outcome.AGAIN, "the broker is away"))
    settling.settle(a_unit(), Result(Outcome.DONE))
    assert REGISTRY.get_sample_value("nepse_retries_total", labels) == before + 1
    assert REGISTRY.get_sample_value("nepse_retries_total", labels | {"outcome": "done"}) is None


def test_a_failure_of_a_shared_run_is_nobodys_yet(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record is given up for two failures of its own; after a shared one it does not share again."""
    letters, work = given_up(monkeypatch), a_unit()
    work.shared = True
    fail(settling, work, BAD)
    assert not work.patience.calm
    work.shared = False
    fail(settling, work, BAD)
    assert letters == []
    fail(settling, work, BAD)
    assert letters == [BAD.why]


def test_nothing_is_given_up_while_a_server_is_away(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody has named may come from an outage; the unit waits instead."""
    letters, work = given_up(monkeypatch, away="mlflow away"), a_unit()
    for _ in range(5):
        fail(settling, work, BAD)
    assert letters == []
    assert work.patience.waits > 0


@pytest.mark.parametrize("outcome", [Outcome.AGAIN, Outcome.REPLAN])
def test_neither_outages_nor_replans_give_anything_up(
    settling: Settling, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    """However often they come."""
    letters, work = given_up(monkeypatch), a_unit()
    for _ in range(50):
        fail(settling, work, Result(outcome, "x"))
    assert work.patience.limit == 100
    fail(settling, work, BAD)
    assert letters == []


def test_outages_of_the_same_slice_halve_it(settling: Settling, monkeypatch: pytest.MonkeyPatch) -> None:
    """What never gets through may be too large: half of it is tried, and nothing of it is given up."""
    letters, work, limits = given_up(monkeypatch), a_unit(100), []
    for _ in range(30):
        work.ranges = cut((SPOT,), {SPOT: 5}, {SPOT: 10_000}, work.patience.next_limit)
        settling.settle(work, Result(Outcome.AGAIN, "QueryCanceled: statement timeout"))
        limits.append(work.patience.limit)
    assert limits[:7] == [100, 100, 50, 50, 50, 25, 25]
    assert (limits[-1], letters) == (1, [])
    work.ranges = cut((SPOT,), {SPOT: 5}, {SPOT: 10_000}, work.patience.next_limit)
    settling.settle(work, Result(Outcome.DONE))
    assert work.patience.limit == 2


def test_outages_of_different_slices_halve_nothing(settling: Settling) -> None:
    """Two, then progress by somebody else, then two: no slice was tried three times."""
    work = a_unit(100)
    for start in (5, 5, 6, 6, 7, 7):
        work.ranges = [OffsetRange(topic="features", partition=0, start=start, end=start + 100)]
        settling.settle(work, Result(Outcome.AGAIN, "the broker is away"))
    assert work.patience.limit == 100


def test_an_outage_before_anything_was_cut_halves_nothing(settling: Settling) -> None:
    """Who can't ask for earlier attempts has no slice yet."""
    work = Work((SPOT,), Patience(100, 100))
    for _ in range(9):
        settling.settle(work, Result(Outcome.AGAIN, "Prefect is away"))
    assert work.patience.limit == 100


def test_a_run_that_crashes_again_and_again_is_the_datas_fault(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first crash may be chance, the next ones count as failures on data."""
    letters, work = given_up(monkeypatch), a_unit()
    for _ in range(3):
        assert letters == []
        fail(settling, work, Result(Outcome.CRASHED, "Crashed: out of memory"))
    assert letters == ["Crashed: out of memory"]


@pytest.mark.parametrize("message", dispatch.CLOSED_BY_OTHERS)
def test_a_run_that_was_closed_for_its_process_says_nothing_of_its_records(
    settling: Settling, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    """Somebody may stop a worker as often as they like."""
    letters, work = given_up(monkeypatch), a_unit()
    for _ in range(5):
        fail(settling, work, judge(Crashed(message=message)))
    assert letters == []
    assert judge(Crashed(message="out of memory")).outcome is Outcome.CRASHED


def test_a_letter_that_can_not_be_written_yet_waits(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is tried again later, and is still known to be deadly."""
    given_up(monkeypatch)

    def away(*_: object) -> None:
        message = "no broker"
        raise TryAgainError(message)

    monkeypatch.setattr(settle, "give_up", away)
    work = a_unit()
    work.proven = True
    assert settling.isolate(work, BAD) > 0
    assert work.proven
    monkeypatch.setattr(settle, "give_up", lambda *_: None)
    settling.isolate(work, BAD)
    assert not work.proven


def test_a_letter_that_can_never_be_written_stops_the_sensor(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts are bounded in this case too."""
    given_up(monkeypatch)
    monkeypatch.setattr(settle, "give_up", lambda *_: {}["nothing"])
    with pytest.raises(StopError, match="could not be made dead letters"):
        settling.isolate(a_unit(), BAD)


def test_after_a_takeover_the_unit_waits_for_a_poll(settling: Settling) -> None:
    """Two that both think a partition theirs must not fence each other in turn."""
    work, other = a_unit(), a_unit()
    settling.settle(work, Result(Outcome.REPLAN, "x", SupersededError("x")))
    settling.settle(other, Result(Outcome.REPLAN, "x"))
    assert work.not_before - other.not_before > 0.5


def test_where_a_slice_may_have_ended_early_the_broker_is_asked(settling: Settling) -> None:
    """A small one can't have, so that its end is where the next begins."""
    small, large = a_unit(2), a_unit(50)
    for work in (small, large):
        settling.settle(work, Result(Outcome.DONE))
    assert (small.starts, large.starts) == ({SPOT: 7}, {})


def test_an_outage_is_told_once_for_each_cause(
    settling: Settling, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Ids and figures that change from attempt to attempt make no new cause; the condition shows it."""
    work = a_unit()
    with caplog.at_level(logging.WARNING):
        for attempt in range(4):
            fail(settling, work, Result(Outcome.AGAIN, f"the database did not answer (attempt {attempt})"))
        fail(settling, work, Result(Outcome.AGAIN, "the object store did not answer"))
        (told,) = conditions(settings)
        settling.settle(work, Result(Outcome.DONE))
    assert [record.message.split(":")[-1].strip() for record in caplog.records] == [
        "the database did not answer (attempt 0)",
        "the object store did not answer",
        "features-0 goes on",
    ]
    assert (told.state, told.why) == ("paused", "the object store did not answer")
    assert [one.state for one in conditions(settings)] == ["working"]


def test_copies_that_failed_together_do_not_come_back_together(settling: Settling) -> None:
    """Pauses of one length are spread by a third either way; they grow from attempt to attempt."""
    pauses = []
    for _ in range(30):
        work, now = a_unit(), time.monotonic()
        fail(settling, work, Result(Outcome.AGAIN, "the broker is away"))
        pauses.append(work.not_before - now)
    assert max(pauses) - min(pauses) > 0.05
    assert 0.3 < min(pauses) < max(pauses) < 0.8
    work = a_unit()
    for _ in range(20):
        fail(settling, work, Result(Outcome.AGAIN, "the broker is away"))
    assert 6 < work.not_before - time.monotonic() < 14


def test_a_stop_is_passed_on(settling: Settling) -> None:
    """A person has to decide."""
    with pytest.raises(StopError, match="access is refused"):
        settling.settle(a_unit(), Result(Outcome.STOP, "access is refused"))


def test_a_run_that_was_superseded_leaves_time_for_a_poll(settling: Settling) -> None:
    """The run tells it by its state's name; whoever took over must not be fenced at once."""
    work, before = a_unit(), time.monotonic()
    settling.settle(work, judge(Cancelled(name="Superseded", message="a newer process")))
    assert work.not_before - before >= settle.TAKEOVER_SECONDS


def test_the_failure_of_another_record_does_not_count(
    settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record before it failed once and was then committed by somebody else: this one has a second try."""
    letters, work = given_up(monkeypatch), a_unit()
    settling.settle(work, BAD)
    work.ranges = [OffsetRange(topic="features", partition=0, start=6, end=7)]
    fail(settling, work, BAD)
    assert letters == []
    fail(settling, work, BAD)
    assert letters == [BAD.why]


@pytest.mark.parametrize("name", ["OperationalError", "TryAgainError", "KafkaError"])
def test_an_outage_that_a_worker_tells_by_name_is_an_outage(name: str) -> None:
    """Of a run elsewhere only the message is left; its records are not at fault."""
    state = Failed(message=f"Flow run encountered an exception: {name}: the server went away")
    assert judge(state).outcome is Outcome.AGAIN
    assert judge(Failed(message="Flow run encountered an exception: KeyError: 'x'")).outcome is Outcome.DATA
