"""Dead letters are tried again on a real broker: once, whole, and in turn with the live slices."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from events.envelope import decode
from events.payloads import FeaturesComputed, LetterRetried, OffsetRange
from infra import bootstrap
from infra.errors import ReplanError, SupersededError, TryAgainError
from infra.kafka import clients
from infra.kafka.letters import Letter, read_letters, resolved
from infra.kafka.log import TopicLog
from infra.kafka.reading import read_ranges
from infra.kafka.records import Run, of_kind
from infra.kafka.redriving import Redrive, open_redrive
from infra.kafka.slices import open_slice, transactional_id
from infra.kafka.work import Work
from infra.wiring import Route
from tasks import redriving
from tasks.redriving import Choice, Line, chosen, retry
from tasks.replaying import Wanted, replay
from tasks.replaying import chosen as past_slices
from tasks.work import Account
from tests.desk import Desk, predict, vector

Steps = Callable[[Any, Work], Account]
ROUNDS = 20


@dataclass
class Office:
    """A flow that has refused a vector, and a way to try it again."""

    desk: Desk
    loop: bootstrap.Loop

    @property
    def letters(self) -> list[Letter]:
        """This flow's letters, as an operator sees them."""
        return [one for one in read_letters(self.desk.settings) if one.flow == self.desk.flow]

    def refuse(self, count: int = 1) -> None:
        """Let the flow refuse vectors in a slice of its own."""
        span = self.desk.feed(*(vector() for _ in range(count)))
        with open_slice(self.desk.pool, Run(self.desk.flow, "live"), [span]) as work:
            for received in work.read():
                work.reject(received, "the model is not there")
            work.commit()

    def redrive(self, steps: Callable[[Any, Work], Account]) -> list[Line]:
        """Try the flow's open letters again."""
        letters = chosen(self.loop, Choice(flow=self.desk.flow))
        return retry(self.loop, letters, {self.desk.flow: steps})


def succeed(_loop: Any, work: Work) -> Account:
    """Predict, as today's code can."""
    for received in of_kind(work.read(), FeaturesComputed):
        predict(work, received)
    return Account()


def fail(_loop: Any, work: Work) -> Account:
    """Read and fail, as today's code still does."""
    work.read()
    return Account(str(1 / 0))


def refuse(_loop: Any, work: Work) -> Account:
    """Refuse the record once more, for another reason."""
    for received in work.read():
        work.reject(received, "the price is missing")
    return Account()


@pytest.fixture
def office(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """The test's flow with one letter."""
    route = Route(f"sensor-{desk.flow}", desk.flow, ("features",))
    monkeypatch.setattr(redriving, "routes", lambda: (route,))
    loop = bootstrap.Loop(desk.settings)
    office = Office(desk, loop)
    office.refuse()
    yield office
    loop.close()


def test_success_publishes_what_follows_and_resolves_the_letter(office: Office) -> None:
    """The prediction is the one that the flow would have made; the group's progress stays where it was."""
    (letter,) = office.letters
    before = office.desk.at
    (line,) = office.redrive(succeed)
    assert (line.outcome, line.attempts) == ("resolved", 2)
    (made,) = office.desk.made()
    assert made.metadata.causation.offset == letter.place.offset
    assert office.letters[0].resolved
    assert office.desk.at == before


def test_redriving_twice_changes_nothing(office: Office) -> None:
    """Asked again, nothing is open; who read the letters before finds them resolved after init."""
    stale = office.letters
    office.redrive(succeed)
    assert office.redrive(succeed) == []
    (line,) = retry(office.loop, stale, {office.desk.flow: succeed})
    assert line.outcome == "left alone"
    assert len(office.desk.made()) == 1


@pytest.mark.parametrize(
    ("steps", "reason"),
    [(fail, "ZeroDivisionError: division by zero"), (refuse, "the price is missing")],
)
def test_failure_keeps_the_letter_with_one_more_attempt(office: Office, steps: Any, reason: str) -> None:
    """No second letter is written; the reason is today's."""
    (line,) = office.redrive(steps)
    assert (line.outcome, line.reason) == ("failed", reason)
    (letter,) = office.letters
    assert (letter.attempts, letter.reason, letter.resolved) == (2, reason, False)
    assert office.desk.made() == []
    office.redrive(succeed)
    assert (office.letters[0].attempts, office.letters[0].resolved) == (2, True)


def test_an_outage_is_not_the_letters_fault(office: Office) -> None:
    """Nothing is counted; the command fails and can be given again."""

    def away(_loop: Any, work: Work) -> Account:
        work.read()
        message = "the database is away"
        raise TryAgainError(message)

    with pytest.raises(TryAgainError, match="away"):
        office.redrive(away)
    assert [one for one in office.desk.made("redrives") if isinstance(one.payload, LetterRetried)] == []
    assert (office.letters[0].attempts, office.letters[0].resolved) == (1, False)


def test_one_bad_letter_does_not_hold_up_the_others(office: Office) -> None:
    """Letters of one partition share a transaction: one fails, the rest is resolved."""
    office.refuse(2)
    worst = office.letters[0].place.offset

    def some(loop: Any, work: Work) -> Account:
        at = [received.place.offset for received in work.read()]
        return fail(loop, work) if at == [worst] else succeed(loop, work)

    assert sorted(line.outcome for line in office.redrive(some)) == ["failed", "resolved", "resolved"]
    assert len(office.desk.made()) == 2


def test_a_live_slice_under_way_is_superseded_and_done_afterwards(office: Office) -> None:
    """Both use one transactional id, so that neither sees half of the other."""
    span = office.desk.feed(vector())
    with open_slice(office.desk.pool, Run(office.desk.flow, "live"), [span]) as live:
        office.redrive(succeed)
        with pytest.raises(SupersededError):
            office.desk.finish(live)
    assert office.desk.work(span) == ["NICA"]
    assert len(office.desk.made()) == 2


def test_a_second_commit_of_a_redrive_is_refused(office: Office) -> None:
    """What became of the letters is published once."""
    (letter,) = office.letters
    with redriving_of(office, letter) as redrive:
        redrive.resolve(letter, redrive.work(letter))
        redrive.commit()
        with pytest.raises(ReplanError, match="committed already"):
            redrive.commit()
    assert len([one for one in redrives(office) if one.letter_id == letter.id]) == 1


def test_an_exception_in_a_redrive_ends_its_producer(office: Office) -> None:
    """Its thread and its connections would stay, one more each time that a database is away."""
    producers: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        _fail_in_a_redrive(office, producers)
    (producer,) = producers
    assert (producer._closed, producer._sender.is_alive()) == (True, False)


def _fail_in_a_redrive(office: Office, producers: list[Any]) -> None:
    with redriving_of(office, office.letters[0]) as redrive:
        producers += [redrive._warm.producer] if redrive._warm else []
        raise ZeroDivisionError


def test_a_redrive_finds_what_it_just_committed(office: Office) -> None:
    """Looked up right after the commit, a letter is resolved: nobody tries it again."""
    office.refuse(ROUNDS - 1)
    log, missed = TopicLog(office.desk.settings, "redrives"), []
    for letter in office.letters:
        with redriving_of(office, letter) as redrive:
            redrive.resolve(letter, redrive.work(letter))
            redrive.commit()
        missed += [] if letter.id in resolved(log, [letter.id]) else [letter.place]
    log.close()
    assert missed == []


def redriving_of(office: Office, letter: Letter) -> AbstractContextManager[Redrive]:
    """Open a redrive of the test's flow."""
    run = Run(office.desk.flow, "redrive")
    return open_redrive(office.loop.pool, run, Route("", office.desk.flow, ("features",)), letter)


def redrives(office: Office) -> list[Any]:
    """List what the topic `redrives` tells of all letters."""
    reader = clients.consumer(office.desk.settings)
    span = OffsetRange(topic="redrives", partition=0, start=0, end=office.desk.end("redrives"))
    found = [decode(record.value).payload for record in read_ranges(reader, [span])]
    reader.close(autocommit=False)
    return found


@contextmanager
def taking_over(desk: Desk, every: float) -> Iterator[list[int]]:
    """Initialise the partition's transactional id again and again, as live slices on a busy topic do."""
    stop, rounds = threading.Event(), [0]
    span = OffsetRange(topic="features", partition=0, start=0, end=0)

    def run() -> None:
        while not stop.wait(every):
            desk.pool.new_producer(transactional_id(desk.flow, [span])).discard()
            rounds[0] += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield rounds
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_letters_get_through_on_a_busy_partition(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """All together they take longer than live slices stay away; in smaller batches each is tried once."""
    monkeypatch.setattr(redriving, "AFTER_TAKEOVER", (0.1, 0.4))
    office.refuse(7)
    tried = []

    def slow(loop: Any, work: Work) -> Account:
        tried.append(work.letters[-1])
        time.sleep(0.3)
        return succeed(loop, work)

    with taking_over(office.desk, every=1.5) as rounds:
        lines = office.redrive(slow)
    assert rounds[0] > 1
    assert len(tried) > len(lines) == 8
    assert {line.outcome for line in lines} == {"resolved"}
    assert all(letter.resolved for letter in office.letters)
    assert len(office.desk.made()) == 8


def test_a_partition_that_never_lets_go_is_left(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried a number of times and no more, and nothing is counted."""
    monkeypatch.setattr(redriving, "AFTER_TAKEOVER", (0.0, 0.0))
    monkeypatch.setattr(redriving, "MOST_TAKEOVERS", 2)
    span = OffsetRange(topic="features", partition=0, start=0, end=0)
    tried = []

    def overtaken(loop: Any, work: Work) -> Account:
        tried.append(work)
        office.desk.pool.new_producer(transactional_id(office.desk.flow, [span])).discard()
        return succeed(loop, work)

    (line,) = office.redrive(overtaken)
    assert (line.outcome, line.reason) == ("left alone", "its partition is busy: try again")
    assert len(tried) == 3
    assert (office.letters[0].attempts, office.letters[0].resolved, office.desk.made()) == (1, False, [])


def test_an_original_too_large_for_its_letter_is_read_where_it_lies(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topics keep everything for ever, so the letter need not."""
    monkeypatch.setattr("infra.kafka.records.KEPT_BYTES", 10)
    office.refuse()
    assert not office.letters[-1].value
    assert [line.outcome for line in office.redrive(succeed)] == ["resolved", "resolved"]
    assert len(office.desk.made()) == 2


@pytest.mark.parametrize(("steps", "kind"), [(succeed, "identical"), (refuse, "different")])
def test_a_replay_misses_nothing_that_a_redrive_mended(office: Office, steps: Steps, kind: str) -> None:
    """The refused vector has its prediction by now: the letter is not missing, the prediction not extra."""
    office.redrive(succeed)
    slices = past_slices(office.loop, Wanted(flow=office.desk.flow))
    (told,) = replay(office.loop, slices, {office.desk.flow: steps}, publish=True)
    assert told.as_dict()["counts"] == {kind: 1}
    assert told.published == 0
