"""Dead letters as their records tell, and their story."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from events.envelope import derive_id
from events.payloads import LetterResolved, LetterRetried, Payload
from infra.cli import dlq, main
from infra.kafka.clients import MAX_REQUEST_BYTES
from infra.kafka.letters import Letter, letter_of, resolved, tell_story
from infra.kafka.records import HEADER_BYTES, KEPT_BYTES, Place, Received, Run, dead_letter, letter_id
from sensors.isolate import traceback_of

PLACE = Place("features", 1, 7)


@dataclass
class Record:
    """A record as the client hands it over."""

    value: bytes | None = b"{"
    headers: Iterable[tuple[str, bytes]] = ()
    key: bytes | None = b"NABIL"
    timestamp: int = 0
    topic: str = "features"
    partition: int = 1
    offset: int = 7


@dataclass
class Refusal:
    """How a flow refuses a record."""

    record: Record = field(default_factory=Record)
    flow: str = "predict"

    @property
    def letter(self) -> Letter:
        """The letter as it is read back."""
        sent = dead_letter(Run(self.flow, "run-1"), self.record, "not JSON", ValueError("x"))
        found = letter_of(Record(value=sent.value, headers=sent.headers, key=sent.key))
        assert found is not None
        return found


def test_a_letter_tells_who_refused_what_and_why() -> None:
    """What a flow writes is what an operator reads."""
    letter = Refusal().letter
    assert (letter.id, letter.flow, letter.place) == (letter_id("predict", PLACE), "predict", PLACE)
    assert (letter.reason, letter.error_class, letter.value) == ("not JSON", "ValueError", b"{")
    assert (letter.attempts, letter.resolved) == (1, False)


def refused_with(traceback: str) -> Letter:
    """Give a record up as a sensor does, for a reason that fills its header; read the letter back."""
    sent = dead_letter(Run("predict", "run-1"), Record(), "m" * 1_200, KeyError("close"), traceback)
    found = letter_of(Record(value=sent.value, headers=sent.headers, key=sent.key))
    assert found is not None
    return found


def test_a_long_message_leaves_room_for_the_traceback() -> None:
    """It has a header of its own, and its end is what is kept."""
    letter = refused_with("first line\n" + "x" * HEADER_BYTES + "\nlast line")
    assert letter.reason == "m" * HEADER_BYTES
    assert letter.traceback is not None
    assert len(letter.traceback) == HEADER_BYTES
    assert letter.traceback.endswith("\nlast line")
    assert letter.as_dict()["traceback"] == letter.traceback


def test_a_letter_without_a_traceback_reads_as_before() -> None:
    """Those of before had none, and those that a flow itself refuses have none."""
    letter = Refusal().letter
    assert letter.traceback is None
    assert letter.as_dict()["traceback"] is None
    assert "traceback" not in dict(dead_letter(Run("predict", "r"), Record(), "x", None).headers)


def _deep(message: str) -> None:
    try:
        {}["close"]
    except KeyError as error:
        raise ValueError(message) from error


def test_a_traceback_tells_the_lines_and_not_the_message_again() -> None:
    """What led to the failure comes first, its own last line at the end; a long message displaces neither."""
    with pytest.raises(ValueError, match="mmm") as caught:
        _deep("m" * 1_200)
    told = refused_with(traceback_of(caught.value)).traceback or ""
    assert "KeyError: 'close'" in told
    assert "raise ValueError(message) from error" in told
    assert told.endswith("ValueError: " + "m" * 200)
    assert traceback_of(None) == ""


def test_a_person_and_a_script_see_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`nepse dlq show`, with and without --json."""
    letter = refused_with("flows/predict.py, line 7\nKeyError: 'close'")
    monkeypatch.setattr(dlq, "_letters", lambda _: [letter])
    assert main.run(["dlq", "show", letter.id[:8]]) == 0
    assert "traceback flows/predict.py, line 7\nKeyError: 'close'\n" in capfd.readouterr().out
    assert main.run(["dlq", "show", letter.id, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["traceback"] == letter.traceback


def test_an_original_that_is_too_large_stays_where_it_lies() -> None:
    """The letter carries its size instead of its bytes, so that the letter itself can always be written."""
    letter = Refusal(Record(value=b"x" * (KEPT_BYTES + 1))).letter
    assert (letter.value, letter.original_bytes) == (None, KEPT_BYTES + 1)
    assert Refusal(Record(value=b"x" * KEPT_BYTES)).letter.original_bytes == KEPT_BYTES


@pytest.mark.parametrize("headers", [(), (("letter_id", b"x"),), (("source_offset", b"many"),)])
def test_what_is_no_letter_of_ours_is_passed_over(headers: tuple[tuple[str, bytes], ...]) -> None:
    """Anybody may write to the topic."""
    assert letter_of(Record(headers=headers)) is None


def test_a_story_counts_attempts_until_the_letter_is_resolved() -> None:
    """Each failure is one more attempt with its own reason; the first letter of an id counts."""
    letter, other = Refusal().letter, Refusal(flow="monitor").letter
    retried = LetterRetried(letter_id=letter.id, attempt=2, reason="still not JSON")
    told, untouched = tell_story([letter, other, letter], [retried])
    assert (told.attempts, told.reason, told.resolved) == (2, "still not JSON", False)
    assert untouched == other
    resolved = LetterResolved(letter_id=letter.id, attempt=3)
    assert tell_story([letter], [retried, resolved])[0].resolved


def test_a_key_that_is_too_large_stays_where_it_lies() -> None:
    """Key and value together must fit into a request, or one hostile key would stop the flow for good."""
    record = Record(value=b"x" * KEPT_BYTES, key=b"k" * (2 * 1024 * 1024))
    sent = dead_letter(Run("predict", "run-1"), record, "no such symbol", None)
    assert len(sent.key or b"") + len(sent.value or b"") < MAX_REQUEST_BYTES
    assert dict(sent.headers)["original_key_bytes"] == b"2097152"
    assert Refusal(Record(key=b"k" * 64)).letter.key == b"k" * 64


class Redrives:
    """The log of redrives; whoever reads all of it fails."""

    def __init__(self, *letters: str) -> None:
        """These went through."""
        self.ids, self.asked = {derive_id("redrive", one, "resolved") for one in letters}, 0

    def refresh(self) -> int:
        """Read what is new."""
        return len(self.ids)

    def between(self, start: int, end: int) -> list[Received[Payload]]:
        """Nobody needs all entries."""
        raise AssertionError((start, end))

    def has(self, event_id: str) -> bool:
        """Look one up."""
        self.asked += 1
        return event_id in self.ids


def test_letters_that_went_through_are_looked_up_one_by_one() -> None:
    """However long the history of redrives is: it is asked for those that matter here."""
    redrives = Redrives("a", *(f"old {n}" for n in range(1_000)))
    assert resolved(redrives, ["a", "b"]) == {"a"}
    assert redrives.asked == 2
