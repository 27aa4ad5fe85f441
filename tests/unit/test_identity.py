"""Which session a file holds: every oddity of the exchange's files by hand."""

import random
from collections.abc import Sequence
from datetime import date
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from tasks.core.claims import Claim, Kind, Verdict
from tasks.core.likeness import Relation, covered, fuller, likeness, stale
from tasks.core.market_model import simulate
from tasks.core.places import in_order
from tasks.core.prices import content_hash, read_daily
from tasks.core.simulator import SimulatedSession, daily_csv
from tests.claims import Shelf, claim, mixture, snapshot
from tests.spelling import as_read

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2024, 3, 5 + k) for k in range(7))
MARKET = [as_read(session.rows) for session in simulate(8, 40, seed=5)]
A, B, C, D = MARKET[3:7]
"""Four consecutive sessions; tests put them on days of their own."""
ONE_ROW = A.head(1)


def ends(claims: Sequence[Claim]) -> dict[date, str]:
    """What is held after files came one a command."""
    shelf = Shelf()
    for one in claims:
        shelf.command(one)
    return shelf.days()


def always(claims: Sequence[Claim], *expected: tuple[date, pd.DataFrame]) -> None:
    """Check that files end as the expected sessions in 24 orders, twice over, and in one command."""
    truth = {day: content_hash(rows) for day, rows in expected}
    orders = list(permutations(claims))
    for order in random.Random(0).sample(orders, min(len(orders), 24)):
        assert ends([*order, *order]) == truth
        together = Shelf()
        together.command(*in_order(order))
        assert together.days() == truth


def last(*claims: Claim) -> Verdict:
    """What the last of some files turns out to be."""
    shelf = Shelf()
    return [shelf.command(one)[0] for one in claims][-1]


def test_new_rows_are_the_session_of_their_name() -> None:
    """On a trading day the name holds, and the day after is another session."""
    always([claim(A, TUESDAY), claim(B, WEDNESDAY)], (TUESDAY, A), (WEDNESDAY, B))
    assert last(claim(A, TUESDAY), claim(B, WEDNESDAY)).kind is Kind.SESSION


@pytest.mark.parametrize("named", [WEDNESDAY, FRIDAY, SATURDAY, date(2024, 3, 17)])
def test_a_stale_file_repeats_its_session(named: date) -> None:
    """Oddities 1 and 2: on holidays and weekends, ten days on, and with recomputed columns."""
    verdict = last(claim(A, TUESDAY), claim(A.assign(vwap=1.0), named))
    assert (verdict.kind, verdict.day) == (Kind.REPEAT, TUESDAY)
    assert verdict.why == "repeat of 2024-03-05, skipped"


def test_a_repeat_before_its_original_is_corrected() -> None:
    """Oddity 1: a holiday's file came first, so it was a session until an earlier one had its rows."""
    shelf = Shelf()
    assert shelf.command(claim(A, WEDNESDAY))[0].day == WEDNESDAY
    [verdict] = shelf.command(claim(A, TUESDAY))
    assert (verdict.kind, verdict.day) == (Kind.MOVED, TUESDAY)
    assert shelf.days() == {TUESDAY: content_hash(A)}


def test_a_weekend_s_first_appearance_is_the_last_session_s() -> None:
    """Oddity 3: Friday's file had what was traded on Thursday."""
    assert last(claim(A, WEDNESDAY), claim(B, FRIDAY)).day == THURSDAY
    always([claim(A, WEDNESDAY), claim(B, FRIDAY), claim(B, SATURDAY)], (WEDNESDAY, A), (THURSDAY, B))


def test_a_doubled_file_and_a_clean_one_are_one_session() -> None:
    """Oddity 5: every row twice is the same content."""
    header, *lines = daily_csv(SimulatedSession(TUESDAY, A, np.zeros((1, len(A))))).splitlines(keepends=True)
    doubled = read_daily(b"".join([header, *(line for line in lines for _ in "12")]), "doubled.csv")
    assert doubled.doubled == len(A)
    assert last(claim(A, TUESDAY), claim(doubled.rows, WEDNESDAY)).kind is Kind.REPEAT


def test_a_mixture_is_completed_under_the_next_day_s_name() -> None:
    """Oddity 4: 2026_03_01 had 11 rows of the session before and 2 of its own, which 2026_03_02 completed."""
    old, fresh = A.head(20), snapshot(B).head(2)
    mixed = mixture(old[~old["symbol"].isin(fresh["symbol"])].head(11), fresh, fresh["symbol"])
    assert len(mixed) == 13
    assert last(claim(A, THURSDAY), claim(mixed, SUNDAY)).claim.digest == content_hash(fresh)
    files = [claim(A, THURSDAY), claim(A, SATURDAY), claim(mixed, SUNDAY), claim(B, MONDAY)]
    always(files, (THURSDAY, A), (SUNDAY, B))
    always([*files, claim(C, date(2024, 3, 12))], (THURSDAY, A), (SUNDAY, B), (date(2024, 3, 12), C))


def test_a_mixture_s_new_symbol_says_nothing_of_the_session_before() -> None:
    """Oddity 4: one of the two new rows is of a symbol that was not traded before; it is no part of that."""
    fresh = snapshot(B).head(2)
    before = A[A["symbol"] != fresh["symbol"].iloc[0]].reset_index(drop=True)
    mixed = mixture(before[before["symbol"] != fresh["symbol"].iloc[1]].head(11), fresh, fresh["symbol"])
    files = [claim(before, TUESDAY), claim(mixed, WEDNESDAY), claim(B, THURSDAY)]
    always(files, (TUESDAY, before), (WEDNESDAY, B))


@pytest.mark.parametrize("fresh", [2, 10, 25])
def test_a_mixture_is_completed_under_its_own_name(fresh: int) -> None:
    """Oddity 4: the same name twice, and whatever the share of stale rows."""
    mixed = mixture(A, snapshot(B), B["symbol"].head(fresh))
    always([claim(A, TUESDAY), claim(mixed, WEDNESDAY), claim(B, WEDNESDAY)], (TUESDAY, A), (WEDNESDAY, B))


def test_the_fuller_file_holds() -> None:
    """A file of the running session is revised by a later one, and never the other way round."""
    early, later = claim(snapshot(A), TUESDAY), claim(A, TUESDAY, source="again.csv")
    cut = claim(A.head(15), WEDNESDAY)
    always([early, later, cut], (TUESDAY, A))
    assert last(early, later).kind is Kind.REVISION
    assert last(later, early).why == "less of 2024-03-05 than is held, skipped"


def test_two_parts_wait_for_the_whole() -> None:
    """Halves without a common symbol contradict nothing until a file has both."""
    files = [claim(A.head(15), TUESDAY), claim(A.tail(15), WEDNESDAY), claim(A, TUESDAY, source="whole.csv")]
    always(files, (TUESDAY, A))


def test_a_correction_is_a_revision_and_can_be_taken_back() -> None:
    """Of two files that are equally full the later one to arrive holds."""
    wrong = A.assign(close=A["close"].where(A.index != 3, 1.0))
    first, second = claim(wrong, TUESDAY), claim(A, TUESDAY)
    assert [last(first, second).kind, last(first, second, first).kind] == [Kind.REVISION] * 2
    assert ends([first, second, first]) == {TUESDAY: content_hash(wrong)}


def test_a_correction_of_a_single_row_is_one() -> None:
    """Where too little speaks for or against it, the name decides."""
    assert last(claim(ONE_ROW, TUESDAY), claim(ONE_ROW.assign(close=9.0), TUESDAY)).kind is Kind.REVISION


def test_a_stale_file_on_a_trading_day() -> None:
    """Thursday's file had Wednesday's rows, and Friday's had Thursday's: the order of sessions tells."""
    files = [claim(A, WEDNESDAY), claim(A, THURSDAY), claim(B, FRIDAY)]
    always(files, (WEDNESDAY, A), (THURSDAY, B))


def test_two_sessions_under_one_name_follow_each_other() -> None:
    """The earlier one takes the session before, and where that is taken the newcomer is put aside."""
    files = [claim(A, THURSDAY, source="early.csv"), claim(B, THURSDAY, source="late.csv")]
    always(files, (WEDNESDAY, A), (THURSDAY, B))
    assert last(claim(C, WEDNESDAY), *files).kind is Kind.UNPLACED


def test_a_session_off_the_calendar() -> None:
    """Oddity 13: rows that follow Thursday's and came on a Friday are Friday's."""
    files = [claim(A, WEDNESDAY), claim(B, THURSDAY), claim(C, FRIDAY), claim(D, SUNDAY)]
    always(files, (WEDNESDAY, A), (THURSDAY, B), (FRIDAY, C), (SUNDAY, D))


def test_a_session_off_the_calendar_and_its_repeat() -> None:
    """Oddity 13: Friday's rows stand again on Saturday; skipped as a repeat or not, they are Friday's."""
    files = [claim(A, WEDNESDAY), claim(B, THURSDAY), claim(C, FRIDAY), claim(C, SATURDAY)]
    always(files, (WEDNESDAY, A), (THURSDAY, B), (FRIDAY, C))


@pytest.mark.parametrize("step", [1, -1])
def test_a_session_off_the_calendar_after_a_repeat(step: int) -> None:
    """Friday's file still had Thursday's rows, so Saturday's are Saturday's."""
    files = [claim(A, WEDNESDAY), claim(B, THURSDAY), claim(B, FRIDAY), claim(C, SATURDAY)]
    expected = [(WEDNESDAY, A), (THURSDAY, B), (SATURDAY, C)]
    assert ends(files[::step]) == {day: content_hash(rows) for day, rows in expected}


def test_a_phantom_day_of_a_history() -> None:
    """Oddity 16: equal rows on a Saturday and a Sunday are Sunday's, on two trading days the earlier's."""
    always([claim(A, SATURDAY, dated=True), claim(A, SUNDAY, dated=True)], (SUNDAY, A))
    always([claim(A, SUNDAY, dated=True), claim(A, MONDAY, dated=True)], (SUNDAY, A))


def test_a_history_s_dates_are_believed() -> None:
    """Oddity 14: a Saturday session of a history stays, and a file that says otherwise is corrected."""
    always([claim(A, THURSDAY, dated=True), claim(B, SATURDAY, dated=True)], (THURSDAY, A), (SATURDAY, B))
    files = [claim(A, TUESDAY, dated=True), claim(A, THURSDAY), claim(B, FRIDAY)]
    always(files, (TUESDAY, A), (THURSDAY, B))


def test_a_history_is_corrected_by_itself() -> None:
    """Rows that carry the date of a held session revise it, however different they are."""
    verdict = last(claim(A, TUESDAY, dated=True), claim(D, TUESDAY, dated=True))
    assert verdict.kind in {Kind.REVISION, Kind.PARTIAL}


def test_a_history_without_previous_closes_is_recognised() -> None:
    """The daily file of a session of the history repeats it or completes it, though its rows differ."""
    table = A.head(30).assign(prev_close=np.nan, turnover=A["turnover"].head(30) + 0.5)
    always([claim(table, TUESDAY, dated=True), claim(A, WEDNESDAY)], (TUESDAY, A))


def test_thin_sessions() -> None:
    """Oddities 16 and 27: a file's single row repeats its neighbour's, not one from afar or a history's."""
    far = [claim(A, WEDNESDAY), claim(B, THURSDAY), claim(ONE_ROW, SUNDAY)]
    assert last(claim(ONE_ROW, TUESDAY), claim(ONE_ROW, WEDNESDAY)).kind is Kind.REPEAT
    assert last(claim(ONE_ROW, TUESDAY), *far).kind is Kind.SESSION
    history = [claim(ONE_ROW, day, dated=True) for day in (TUESDAY, WEDNESDAY)]
    always(history, (TUESDAY, ONE_ROW), (WEDNESDAY, ONE_ROW))


def test_a_few_equal_rows_are_real() -> None:
    """Oddity 27: neighbours that share four rows are two whole sessions."""
    same = A.merge(B[["symbol"]])["symbol"].head(4)
    rows = mixture(A[A["symbol"].isin(same)], B[~B["symbol"].isin(same)], B["symbol"])
    always([claim(A, TUESDAY), claim(rows, WEDNESDAY)], (TUESDAY, A), (WEDNESDAY, rows))


def test_other_content_never_replaces_a_session() -> None:
    """What contradicts the session of its name is put aside; the session stays as it is."""
    other = simulate(1, 40, seed=5)
    rows = next(iter(other)).rows.assign(prev_close=1.0, open=2.0)
    verdict = last(claim(A, TUESDAY), claim(rows, TUESDAY))
    assert (verdict.kind, verdict.day) == (Kind.UNPLACED, None)
    assert verdict.why == "its session can't be told: put aside"
    assert ends([claim(A, TUESDAY), claim(rows, TUESDAY)]) == {TUESDAY: content_hash(A)}


def test_a_file_without_a_date() -> None:
    """Its rows follow a session, or are one that is held; else nothing tells, and a name knows better."""
    assert last(claim(A, TUESDAY), claim(B, None)).day == WEDNESDAY
    assert last(claim(A, TUESDAY), claim(A, None)).kind is Kind.REPEAT
    assert last(claim(C, TUESDAY), claim(A, None)).kind is Kind.UNPLACED
    assert last(claim(B, None)).kind is Kind.UNPLACED
    known = [claim(A, TUESDAY), claim(B, None), claim(B, THURSDAY)]
    assert (last(*known).kind, last(*known).day) == (Kind.MOVED, THURSDAY)
    assert ends([claim(A, TUESDAY), claim(C, None), claim(B, None)])[WEDNESDAY] == content_hash(B)


def test_a_guess_makes_room() -> None:
    """The day after a session turns out to be another's, which the guessed one follows."""
    shelf = Shelf()
    between = A.assign(prev_close=A["close"], volume=A["volume"] + 1)
    for one in (claim(A, TUESDAY), claim(B, None), claim(between, WEDNESDAY)):
        shelf.command(one)
    expected = [(TUESDAY, A), (WEDNESDAY, between), (THURSDAY, B)]
    assert shelf.days() == {day: content_hash(rows) for day, rows in expected}


def test_no_usable_row() -> None:
    """A file whose rows were all rejected is no session, and neither is the next one of that kind."""
    assert [last(claim(A.head(0), TUESDAY), claim(A.head(0), day)).kind for day in (TUESDAY, MONDAY)] == [
        Kind.EMPTY
    ] * 2


def test_relations() -> None:
    """Copies, snapshots and neighbours are told apart, from either side."""
    relation = {
        (3, 3): Relation.SAME,
        (3, 4): Relation.NEXT,
        (4, 3): Relation.BEFORE,
        (3, 6): Relation.UNKNOWN,
    }
    for (one, other), expected in relation.items():
        assert likeness(MARKET[one], MARKET[other]).relation is expected
    assert likeness(snapshot(A), A).relation is likeness(A, snapshot(A)).relation is Relation.SAME
    assert likeness(A, mixture(A, B, B["symbol"].head(10))).relation is Relation.MIXED
    assert likeness(A.head(1), A.head(1)).relation is Relation.UNKNOWN


def test_fullness() -> None:
    """Volume tells which of two snapshots is the later one; a tie goes to the newcomer."""
    assert [fuller(A, snapshot(A)), fuller(snapshot(A), A), fuller(A, A)] == [True, False, True]
    assert covered(A, A.head(10)) == pytest.approx(10 / len(A))
    assert (
        stale(A, mixture(A, B, B["symbol"].head(10))).sum()
        == len(A) - A["symbol"].isin(B["symbol"].head(10)).sum()
    )
