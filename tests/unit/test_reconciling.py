"""A reconciliation finds each planted fault, and nothing in clean books."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from events.envelope import Causation, Event, Metadata, derive_id
from events.payloads import (
    ActualAvailable,
    AlertRaised,
    DataIngested,
    ErrorComputed,
    FeaturesComputed,
    ModelRetrainingTriggered,
    Payload,
    PredictionMade,
    ShadowPredicted,
)
from events.topics import TOPICS
from infra.prefect_orphans import Closed
from infra.settings import load_settings
from tasks import reconciling
from tasks.core.accounting import Account, Input, Known, settle
from tasks.core.causes import broken_causes, delivered_again
from tasks.core.census import Places, Source, Tally, repeats
from tasks.core.findings import KINDS, SHOWN, Finding, shortened, told
from tasks.core.hanging import hanging
from tasks.core.joining import ActualSide, side_of_actual, side_of_prediction
from tasks.core.pairing import Pairs, error_ids, match, pairs_of, refused, unexpected
from tasks.core.tiling import Progress, Tile, untiled

FLOWS = ("compute-features", "join-errors", "monitor", "predict", "recompute", "retrain")
FAR = 1_000
DAY, NEXT = date(2024, 3, 3), date(2024, 3, 4)
PLACES = [(topic.name, p) for topic in TOPICS.values() for p in range(2 if topic.spread else 1)]


def kinds(found: list[Finding]) -> list[str]:
    """What was found."""
    return [f.kind for f in found]


def tile(start: int, end: int, run_id: str = "run", entry: int = 0) -> Tile:
    """A slice's range."""
    return Tile(start, end, run_id, entry)


CLEAN = [tile(0, 10), tile(10, 12), tile(12, 40)]


def test_a_clean_ledger_is_clean() -> None:
    """In any order, with the empty range of a pair's other side, and with a commit meanwhile."""
    assert untiled("f", reversed(CLEAN), Progress(40, 40)) == []
    assert untiled("f", [*CLEAN, tile(12, 12)], Progress(12, 40)) == []
    assert untiled("f", [], Progress(0, 0)) == []


@pytest.mark.parametrize(
    ("tiles", "progress", "kind", "says"),
    [
        ([CLEAN[0], CLEAN[2]], (40, 40), "gap", "[10, 12)"),
        (CLEAN[1:], (40, 40), "gap", "[0, 10)"),
        (CLEAN[:2], (40, 40), "gap", "[12, 40)"),
        ([*CLEAN, tile(11, 13)], (40, 40), "overlap", "[11, 13)"),
        ([*CLEAN, tile(20, 25)], (40, 40), "overlap", "[20, 25)"),
        ([*CLEAN, CLEAN[1]], (40, 40), "overlap", "[10, 12)"),
        ([*CLEAN[:2], tile(12, 40, "")], (40, 40), "no-run", "[12, 40)"),
        (CLEAN, (12, 12), "progress", "ends at 40, the group is at 12"),
    ],
)
def test_a_planted_fault_of_the_ledger_is_found(
    tiles: list[Tile], progress: tuple[int, int], kind: str, says: str
) -> None:
    """One gap, one overlap, one entry without a run, one progress that is elsewhere."""
    found = untiled("f", tiles, Progress(*progress))
    assert kind in kinds(found)
    assert any(says in f.what for f in found if f.kind == kind)


def test_a_tile_inside_an_earlier_one_is_found_behind_a_third() -> None:
    """An overlap need not be with the neighbour."""
    found = untiled("f", [tile(0, 100), tile(10, 20), tile(30, 40)], Progress(100, 100))
    assert kinds(found) == ["overlap", "overlap"]
    assert all("begins inside [0, 100)" in f.what for f in found)


@dataclass
class Books:
    """Topics in memory, filled as the flows fill them."""

    tallies: dict[tuple[str, int], Tally]

    def add(
        self,
        place: tuple[str, int, int],
        payload: Payload,
        *,
        name: str,
        producer: str = "ingest",
        cause: tuple[str, int, int, str] | None = None,
        belongs: int | None = None,
    ) -> None:
        """Put an event at a place."""
        metadata = Metadata(name, name, causation=Causation(*cause) if cause else None)
        event = Event(datetime(2024, 3, 3, tzinfo=UTC), producer, payload, metadata)
        self.tallies[place[:2]].event(place[2], event, belongs=belongs)

    def letter(self, flow: str, source: tuple[str, int, int]) -> None:
        """Put a dead letter behind the others."""
        tally = self.tallies["dead-letters", 0]
        tally.letter(len(tally.columns["offsets"]), f"{flow} {source}", flow, Source(*source))

    def places(self) -> Places:
        """Close the books."""
        return {place: replace_empty(tally) for place, tally in self.tallies.items()}

    def settle(self, flow: str, topic: str, committed: int = FAR, **known: Any) -> tuple[Account, list[str]]:
        """Account for a flow's inputs on partition 0."""
        places = self.places()
        masks = {}
        for name in TOPICS:
            start = 0
            for partition, firsts in repeats(places, name).items():
                masks[name, partition] = firsts != np.arange(start, start + len(firsts))
                start += len(firsts)
        account, found = settle(Input(flow, topic, 0, committed), places, Known(FLOWS, masks, **known))
        return account, kinds(found)


def replace_empty(tally: Tally) -> Any:
    """Close a tally's copy, so that more may be added to the books afterwards."""
    copy = Tally(tally.flows, {name: column[:] for name, column in tally.columns.items()}, list(tally.moved))
    return copy.done()


def vector(symbol: str = "NABIL") -> FeaturesComputed:
    """A feature vector."""
    return FeaturesComputed(symbol=symbol, date=DAY, features={})


def prediction() -> PredictionMade:
    """A prediction for the next session."""
    return PredictionMade(symbol="NABIL", date=NEXT, predicted_close=1, model_version="v0", as_of=DAY)


@pytest.fixture
def books() -> Books:
    """Three vectors with a prediction each, transaction markers between them."""
    made = Books({place: Tally(FLOWS) for place in PLACES})
    for number in range(3):
        predicted(made, number)
    return made


def predicted(books: Books, number: int, name: str = "", offset: int | None = None) -> None:
    """A vector and its prediction."""
    at = number * 2 if offset is None else offset
    books.add(("features", 0, at), vector(), name=name or f"f{number}", producer="compute-features")
    answered(books, at, name or f"f{number}", number * 3)


def answered(books: Books, vector_at: int, vector_id: str, at: int) -> None:
    """A prediction alone."""
    cause = ("features", 0, vector_at, vector_id)
    name = derive_id("predict", vector_id, "NABIL")
    books.add(("predictions", 0, at), prediction(), name=name, producer="predict", cause=cause)


def test_clean_books_are_clean(books: Books) -> None:
    """Every vector has its prediction, every cause is there; what is not committed yet is pending."""
    books.add(("features", 0, 9), vector(), name="new")
    account, found = books.settle("predict", "features", committed=8)
    assert found == []
    assert (account.records, account.published, account.pending, account.lost) == (3, 3, 1, 0)
    places = books.places()
    assert broken_causes(places, dict.fromkeys(places, FAR), FLOWS) == []
    assert delivered_again(places, FLOWS) == []


def test_a_lost_output_is_found(books: Books) -> None:
    """The offsets are named, neighbours together."""
    for offset in (10, 11, 13):
        books.add(("features", 0, offset), vector(), name=f"x{offset}")
    account, found = books.settle("predict", "features")
    assert account.lost == 3
    assert found == ["lost"]


def test_shadows_and_alerts_are_no_outcome(books: Books) -> None:
    """Beside a prediction they are not one too many, without it the vector is lost; each has its cause."""
    shadow = ShadowPredicted(symbol="NABIL", date=NEXT, predicted_close=1, model_version="v2")
    alert = AlertRaised(rule="model_refused", severity="critical", message="v2 is gone")
    books.add(("features", 0, 10), vector(), name="x", producer="compute-features")
    for offset, vector_at, name in ((0, 0, "f0"), (2, 10, "x")):
        cause = ("features", 0, vector_at, name)
        books.add(("shadows", 0, offset), shadow, name=f"s{name}", producer="predict", cause=cause)
        books.add(("alerts", 0, offset), alert, name=f"a{name}", producer="predict", cause=cause)
    account, found = books.settle("predict", "features")
    assert (account.published, account.lost, found) == (3, 1, ["lost"])
    answered(books, 10, "x", 50)
    assert books.settle("predict", "features")[1] == []
    places = books.places()
    assert broken_causes(places, dict.fromkeys(places, FAR), FLOWS) == []
    assert delivered_again(places, FLOWS) == []


@pytest.mark.parametrize("junk", [True, False])
def test_a_dead_letter_is_an_outcome(books: Books, junk: bool) -> None:
    """Of this flow only, for what is no event too, and only once."""
    if junk:
        books.tallies["features", 0].junk(10)
    else:
        books.add(("features", 0, 10), vector(), name="x")
    books.letter("compute-features", ("features", 0, 10))
    assert books.settle("predict", "features")[1] == ["lost"]
    books.letter("predict", ("features", 0, 10))
    account, found = books.settle("predict", "features")
    assert (account.dead_letters, found) == (1, [])
    books.letter("predict", ("features", 0, 10))
    assert books.settle("predict", "features")[1] == ["twice"]


def test_two_outcomes_are_found(books: Books) -> None:
    """A second prediction, or a letter beside the prediction."""
    answered(books, 0, "f0", 50)
    assert books.settle("predict", "features")[1] == ["twice"]


def test_a_letter_beside_an_event_is_found(books: Books) -> None:
    """An input either made something or was refused."""
    books.letter("predict", ("features", 0, 2))
    assert books.settle("predict", "features")[1] == ["twice"]


def test_a_letter_beside_blocks_that_were_published_aside_is_none(books: Books) -> None:
    """Recompute had published some when its record was given up; elsewhere the same is a fault."""
    ingested = DataIngested(symbol="NEPSE", date=DAY, data_location="s3://x")
    books.add(("raw-data", 0, 0), ingested, name="i")
    for flow, expected in (("recompute", []), ("compute-features", ["twice"])):
        at = 20 if flow == "recompute" else 30
        books.add(("features", 0, at), vector(), name=flow, producer=flow, cause=("raw-data", 0, 0, "i"))
        books.letter(flow, ("raw-data", 0, 0))
        assert books.settle(flow, "raw-data")[1] == expected


def test_a_letter_that_was_resolved_is_no_outcome_but_its_event_is(books: Books) -> None:
    """A redrive's event takes the letter's place; without it the input would be lost."""
    books.letter("predict", ("features", 0, 2))
    resolved = {hash("predict ('features', 0, 2)")}
    assert books.settle("predict", "features", resolved=resolved)[1] == []
    books.add(("features", 0, 10), vector(), name="x")
    books.letter("predict", ("features", 0, 10))
    resolved.add(hash("predict ('features', 0, 10)"))
    assert books.settle("predict", "features", resolved=resolved)[1] == ["lost"]


def test_a_replays_correction_is_no_second_outcome(books: Books) -> None:
    """Only where the ledger says that a replay published it."""
    answered(books, 0, "f0", 50)
    corrections = {("predictions", 0): [(50, 51)]}
    assert books.settle("predict", "features", corrections=corrections)[1] == []
    answered(books, 0, "f0", 60)
    assert books.settle("predict", "features", corrections=corrections)[1] == ["twice"]


def test_silence_is_legal_where_the_rules_say_so(books: Books) -> None:
    """A flow that owes nothing; no event still needs its letter."""
    account, found = books.settle("monitor", "features")
    assert (account.silent, found) == (3, [])
    books.tallies["features", 0].junk(10)
    assert books.settle("monitor", "features")[1] == ["lost"]


def test_a_repeated_input_needs_no_output_of_its_own(books: Books) -> None:
    """A session delivered twice: the second may stay silent, the first may not."""
    session = DataIngested(symbol="NEPSE", date=DAY, data_location="s3://x")
    books.add(("raw-data", 0, 0), session, name="session")
    books.add(("raw-data", 0, 2), session, name="session")
    account, found = books.settle("compute-features", "raw-data")
    assert (account.lost, account.repeated, found) == (1, 1, ["lost"])
    cause = ("raw-data", 0, 0, "session")
    books.add(("features", 0, 20), vector(), name="made", producer="compute-features", cause=cause)
    assert books.settle("compute-features", "raw-data")[1] == []


def test_a_misplaced_record_has_to_lie_where_it_belongs(books: Books) -> None:
    """A record in the wrong partition is accounted for by its copy in the right one."""
    books.add(("features", 0, 10), vector(), name="moved", belongs=1)
    assert books.settle("predict", "features")[1] == ["lost"]
    books.add(("features", 1, 0), vector(), name="moved")
    account, found = books.settle("predict", "features")
    assert (account.rerouted, found) == (1, [])
    assert delivered_again(books.places(), FLOWS) == []


def test_a_trigger_is_answered_by_a_model_that_names_it(books: Books) -> None:
    """The model's cause is the newest trigger alone."""
    trigger = ModelRetrainingTriggered(reason="weekly", data_end_date=DAY)
    books.add(("training", 0, 0), trigger, name="ask")
    assert books.settle("retrain", "training")[1] == ["lost"]
    assert books.settle("retrain", "training", answered={hash("ask")})[1] == []


def test_letters_that_expired_explain_an_input_without_outcome(books: Books) -> None:
    """Told as a note; later inputs stay lost."""
    books.tallies["features", 0].junk(10)
    books.tallies["features", 0].junk(12)
    account, found = books.settle("predict", "features", letters_since={("features", 0): 11})
    assert (account.unknown, account.lost, found) == (1, 1, ["lost", "letters-expired"])
    assert not KINDS["letters-expired"].serious


@pytest.mark.parametrize(
    "cause",
    [
        ("features", 0, 1, "f0"),
        ("features", 0, 99, "f0"),
        ("features", 7, 0, "f0"),
        ("features", 0, 0, "f1"),
        ("elsewhere", 0, 0, "f0"),
    ],
)
def test_a_broken_cause_is_found(books: Books, cause: tuple[str, int, int, str]) -> None:
    """A marker's offset, an offset beyond the end, no such partition, another id, no such topic."""
    books.add(("predictions", 0, 50), prediction(), name="x", producer="predict", cause=cause)
    places = books.places()
    found = broken_causes(places, dict.fromkeys(places, FAR), FLOWS)
    assert kinds(found) == ["broken-cause"]
    assert "event at 50" in found[0].what
    assert broken_causes(places, dict.fromkeys(places, 50), FLOWS) == []


def test_a_cause_in_words_is_checked_by_its_place(books: Books) -> None:
    """What monitor asks of training names the cause by what several errors share."""
    trigger = ModelRetrainingTriggered(reason="sustained_error", data_end_date=DAY)
    for number, offset in enumerate((2, 3)):
        cause = ("features", 0, offset, "sustained error of v1")
        books.add(("training", 0, number), trigger, name=f"t{number}", producer="monitor", cause=cause)
    places = books.places()
    assert ["event at 1" in f.what for f in broken_causes(places, dict.fromkeys(places, FAR), FLOWS)] == [
        True
    ]


def test_an_event_made_twice_is_found_and_one_delivered_twice_is_noted(books: Books) -> None:
    """By one flow from one input is a fault; from another place, or from somebody else, is not."""
    cause = ("raw-data", 0, 0, "s")
    books.add(("features", 0, 20), vector(), name="x", producer="compute-features", cause=cause)
    books.add(("features", 1, 20), vector(), name="x", producer="compute-features", cause=cause)
    assert kinds(delivered_again(books.places(), FLOWS)) == ["doubled"]
    other = Books({place: Tally(FLOWS) for place in PLACES})
    for number, origin in enumerate([cause, ("raw-data", 0, 5, "s")]):
        other.add(("features", 0, number), vector(), name="x", producer="compute-features", cause=origin)
    for number in range(2):
        other.add(("features", 1, number), vector(), name="y", producer="backfill", cause=cause)
    found = delivered_again(other.places(), FLOWS)
    assert [(f.kind, f.where) for f in found] == [("repeated", "features-0"), ("repeated", "features-1")]
    assert not any(f.serious for f in found)


def side(offset: int, payload: ActualAvailable, name: str) -> ActualSide:
    """An actual of partition 0."""
    return side_of_actual(0, offset, name, "", payload)


def actual(revision: int = 0) -> ActualAvailable:
    """The close that the prediction is about."""
    return ActualAvailable(symbol="NABIL", date=NEXT, actual_close=1, previous_date=DAY, revision=revision)


@pytest.fixture
def pairs() -> Pairs:
    """A prediction with two revisions of its actual, one delivered twice, and one of another symbol."""
    actuals = [
        side(0, actual(), "a"),
        side(1, actual(), "a"),
        side(2, actual(1), "b"),
        side(3, actual().model_copy(update={"symbol": "UPPER"}), "c"),
    ]
    return pairs_of(0, [side_of_prediction(0, 7, "p", "", prediction())], actuals)


def error(books: Books, offset: int, actual_id: str, actual_at: int, revision: int) -> None:
    """The error that a pair makes."""
    payload = ErrorComputed(symbol="NABIL", date=NEXT, predicted=1, actual=1, error=0, abs_error=0)
    name = derive_id("join-errors", actual_id, "p", revision)
    cause = ("actuals", 0, actual_at, actual_id)
    books.add(("errors", 1, offset), payload, name=name, producer="join-errors", cause=cause)


def joined(
    books: Books, pairs: Pairs, predictions: int = FAR, actuals: int = FAR, resolved: tuple[int, ...] = ()
) -> Known:
    """Match pairs with the errors of the books."""
    known, places = Known(FLOWS, {}, resolved=set(resolved)), books.places()
    ends = {"predictions": predictions, "actuals": actuals}
    match(pairs, error_ids(places), ends, refused(places, 0, known), known)
    return known


def test_pairs_are_the_joins_own(pairs: Pairs) -> None:
    """Each revision is a pair, a second delivery is none."""
    assert sorted(zip(pairs.predictions, pairs.actuals, strict=True)) == [(7, 0), (7, 2)]


def test_a_pair_without_its_error_is_lost(pairs: Pairs) -> None:
    """Both sides are named, unless one of them is not committed yet."""
    books = Books({place: Tally(FLOWS) for place in PLACES})
    error(books, 0, "a", 0, 0)
    known = joined(books, pairs)
    assert known.joined == {("predictions", 0): {7}, ("actuals", 0): {0}}
    assert known.unjoined == {("predictions", 0): {7}, ("actuals", 0): {2}}
    assert joined(books, pairs, actuals=2).unjoined == {("predictions", 0): set(), ("actuals", 0): set()}
    books.add(("actuals", 0, 2), actual(1), name="b")
    account, found = books.settle("join-errors", "actuals", unjoined=known.unjoined)
    assert (account.lost, account.waiting, found) == (1, 0, ["lost"])
    error(books, 1, "b", 2, 1)
    assert joined(books, pairs).unjoined == {("predictions", 0): set(), ("actuals", 0): set()}


def test_a_pair_of_which_one_side_was_refused_owes_nothing(pairs: Pairs) -> None:
    """Only by the join, only with that side, and only until the letter is resolved."""
    books = Books({place: Tally(FLOWS) for place in PLACES})
    books.letter("monitor", ("actuals", 0, 0))
    books.letter("join-errors", ("actuals", 0, 2))
    assert joined(books, pairs).unjoined == {("predictions", 0): {7}, ("actuals", 0): {0}}
    books.letter("join-errors", ("predictions", 0, 7))
    assert joined(books, pairs).unjoined == {("predictions", 0): set(), ("actuals", 0): set()}
    resolved = (hash("join-errors ('predictions', 0, 7)"),)
    assert joined(books, pairs, resolved=resolved).unjoined == {("predictions", 0): {7}, ("actuals", 0): {0}}


def test_sides_wait_expire_or_are_joined(books: Books) -> None:
    """The account of the join's predictions."""
    sides = {"joined": {("predictions", 0): {0}}, "expired": {("predictions", 0): {3}}}
    account, found = books.settle("join-errors", "predictions", **sides)
    assert (account.joined, account.expired, account.waiting, found) == (1, 1, 1, [])


def test_an_error_that_no_pair_makes_is_found(pairs: Pairs) -> None:
    """Of the join's own ones; a foreign copy without a cause may say what it likes."""
    books = Books({place: Tally(FLOWS) for place in PLACES})
    error(books, 0, "a", 0, 0)
    ends = dict.fromkeys(PLACES, FAR)
    assert unexpected(books.places(), [pairs], ends, Known(FLOWS, {})) == []
    foreign = ErrorComputed(symbol="NABIL", date=NEXT, predicted=1, actual=1, error=0, abs_error=0)
    books.add(("errors", 1, 3), foreign, name="foreign", producer="join-errors")
    assert unexpected(books.places(), [pairs], ends, Known(FLOWS, {})) == []
    error(books, 5, "a", 0, 3)
    assert kinds(unexpected(books.places(), [pairs], ends, Known(FLOWS, {}))) == ["unexpected"]
    corrected = Known(FLOWS, {}, corrections={("errors", 1): [(5, 6)]})
    assert unexpected(books.places(), [pairs], ends, corrected) == []
    assert unexpected(books.places(), [pairs], ends | {("errors", 1): 5}, Known(FLOWS, {})) == []


@dataclass(frozen=True)
class Transaction:
    """An open transaction."""

    seconds: float
    transactional_id: str = "predict.features-0"
    state: str = "Ongoing"
    timeout: float = 60.0
    places: tuple[str, ...] = ("predictions-0",)


def test_a_transaction_past_its_timeout_hangs() -> None:
    """The broker gets some time to abort it by itself."""
    found = hanging([Transaction(59.0), Transaction(119.0), Transaction(121.0)])
    assert [(f.where, f.kind) for f in found] == [("predict.features-0", "hanging")]
    assert "open for 121 s" in found[0].what


def test_many_findings_of_a_kind_are_counted() -> None:
    """Serious ones first."""
    many = [Finding("repeated", "x", str(n)) for n in range(SHOWN + 5)]
    found = shortened([*many, Finding("gap", "y", "here")])
    assert (found[0].kind, found[-1].what, len(found)) == ("gap", "and 5 more", SHOWN + 2)
    assert told(found) == f"1 findings to look at, {SHOWN + 1} notes"
    assert told([]) == "all is accounted for"


def test_lost_runs_of_every_flow_and_sensor_are_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those of this machine and of any other; a sensor's own are not judged by how long they last."""
    asked: list[tuple[object, ...]] = []

    def lost(_: object, name: str, group: str | None = None, *, lasting: bool = False) -> list[Closed]:
        asked.append((name, group, lasting))
        return [Closed("7", f"{name} run", "Crashed")]

    monkeypatch.setattr(reconciling, "close_orphans", lambda _, flow: [Closed("8", flow, "Completed")])
    monkeypatch.setattr(reconciling, "close_lost", lost)
    found = reconciling.close_runs(load_settings(tmp_path))
    assert ("predict", None, False) in asked
    assert ("sensor-predict", "predict", True) in asked
    assert len(found) == len(asked) + len(reconciling.FLOWS)
    assert any(one.what.startswith("sensor-predict run ended as Crashed: http") for one in found)
