"""Two versions on the same days: what is paired, and what is said of it."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.offices import PERSISTENCE
from tasks.core.shadowing import CLOSES, MIN_SESSIONS, SAID, compare, paired
from tasks.core.skill import diebold_mariano

FIRST = date(2024, 1, 1)


def said(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Forecasts: symbol, session, version, revision, retracted, predicted, last close."""
    return pd.DataFrame([(s, FIRST + timedelta(d), *rest) for s, d, *rest in rows], columns=list(SAID))


def closes(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Closes: symbol, session, revision, retracted, actual."""
    return pd.DataFrame([(s, FIRST + timedelta(d), *rest) for s, d, *rest in rows], columns=list(CLOSES))


ONE = ("A", 0, "v1", 0, False, 101.0, 100.0)
OTHER = ("A", 0, "v2", 0, False, 102.0, 100.0)
CLOSE = ("A", 0, 0, False, 103.0)


def found(rows: list[tuple[Any, ...]], known: list[tuple[Any, ...]]) -> list[tuple[float, float, float]]:
    """What v2 and v1 said, and what became of it."""
    pairs = paired(said(*rows), closes(*known), "v2", "v1")
    return list(pairs[["first", "second", "actual"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("rows", "known", "expected"),
    [
        ([ONE, OTHER], [CLOSE], [(102, 101, 103)]),
        ([ONE, OTHER], [], []),
        ([ONE], [CLOSE], []),
        ([], [], []),
        # the newest revision of each counts
        ([ONE, OTHER, ("A", 0, "v2", 1, False, 104.0, 100.0)], [CLOSE], [(104, 101, 103)]),
        ([ONE, OTHER], [CLOSE, ("A", 0, 1, False, 99.0)], [(102, 101, 99)]),
        # a session that was taken back, by whichever version
        ([ONE, OTHER, ("A", 0, "v3", 1, True, 0.0, 100.0)], [CLOSE], []),
        ([ONE, OTHER], [CLOSE, ("A", 0, 1, True, 103.0)], []),
        # and told again
        (
            [
                ONE,
                OTHER,
                ("A", 0, "v1", 1, True, 101.0, 100.0),
                ("A", 0, "v1", 2, False, 105.0, 100.0),
                ("A", 0, "v2", 2, False, 106.0, 100.0),
            ],
            [CLOSE],
            [(106, 105, 103)],
        ),
        # seen with another close: not the same question
        ([ONE, ("A", 0, "v2", 0, False, 102.0, 99.0)], [CLOSE], []),
        # said twice: by a backfill, after it served
        ([ONE, OTHER, ("A", 0, "v1", 0, False, 107.0, 100.0)], [CLOSE], [(102, 107, 103)]),
        (
            [ONE, OTHER, ("B", 0, "v1", 0, False, 1.0, 1.0)],
            [CLOSE, ("B", 0, 0, False, 1.0)],
            [(102, 101, 103)],
        ),
    ],
)
def test_what_two_versions_said_of_the_same_close(
    rows: list[tuple[Any, ...]],
    known: list[tuple[Any, ...]],
    expected: list[tuple[float, float, float]],
) -> None:
    """Side by side, as it stands in the end."""
    assert found(rows, known) == expected


def test_persistence_says_the_last_close() -> None:
    """Wherever the other said anything."""
    pairs = paired(said(ONE), closes(CLOSE), "v1", PERSISTENCE)
    assert pairs[["first", "second"]].to_numpy().tolist() == [[101.0, 100.0]]


def market(sessions: int, noise: float, seed: int = 0) -> pd.DataFrame:
    """Pairs of 20 symbols: the first version sees half of each move, the second one only noise."""
    draw = np.random.default_rng(seed)
    days = np.repeat([FIRST + timedelta(n) for n in range(sessions)], 20)
    move = draw.normal(0, 0.02, len(days))
    guess = draw.normal(0, noise, len(days))
    return pd.DataFrame(
        {
            "symbol": [f"S{n % 20}" for n in range(len(days))],
            "as_of": days,
            "last_close": 100.0,
            "actual": 100 * np.exp(move),
            "first": 100 * np.exp(move / 2),
            "second": 100 * np.exp(guess),
        }
    )


def test_the_better_one_is_named_from_either_side() -> None:
    """With the figures of both and of persistence, and the test of the promotion."""
    pairs = market(30, 0.01)
    result = compare(pairs, "v2", "v1")
    assert result.verdict.startswith("v2 is better than v1 on 30 sessions at 5%: squared error")
    assert set(result.figures) == {"v2", "v1", PERSISTENCE}
    assert result.figures["v2"]["rmse_return"] < result.figures["v1"]["rmse_return"]
    assert (result.pairs, result.sessions, result.corporate_actions) == (600, 30, 0)
    assert (result.since, result.until) == (FIRST, FIRST + timedelta(29))
    swapped = pairs.rename(columns={"first": "second", "second": "first"})
    assert compare(swapped, "v1", "v2").verdict.startswith("v1 is worse than v2")


def test_the_test_is_that_of_the_promotion_on_session_means() -> None:
    """Squared errors of returns, averaged by session before they are compared."""
    pairs = market(25, 0.01)
    losses = [
        (np.log(pairs["actual"] / pairs[name]) ** 2).groupby(pairs["as_of"]).mean().to_numpy()
        for name in ("first", "second")
    ]
    test, expected = compare(pairs, "v2", "v1").test, diebold_mariano(*losses)
    assert test is not None
    assert (test.statistic, test.p_value) == pytest.approx((expected.statistic, expected.p_value))
    assert (test.mean, test.sessions) == (pytest.approx(expected.mean), 25)


def test_equals_are_not_told_apart() -> None:
    """Nor is a version and itself under another name."""
    pairs = market(30, 0.01).assign(second=lambda frame: frame["first"])
    assert compare(pairs, "v2", "v1").verdict.startswith("no clear difference between v2 and v1")


@pytest.mark.parametrize("sessions", [0, 1, MIN_SESSIONS - 1])
def test_on_few_sessions_nothing_is_said(sessions: int) -> None:
    """Not even where there are as many as the test itself needs."""
    result = compare(market(sessions, 0.01), "v2", "v1")
    assert result.test is None
    assert result.verdict == f"nothing can be said: {sessions} sessions that both predicted, 20 are the least"


def test_nothing_at_all_can_be_compared() -> None:
    """As long as the read side is empty."""
    result = compare(paired(said(), closes(), "v2", "v1"), "v2", "v1")
    assert (result.pairs, result.since, result.figures["v2"]) == (0, None, {})


def test_a_corporate_action_is_left_out_and_counted() -> None:
    """Neither version could know of it: the close halved in a bonus issue."""
    pairs = market(30, 0.01)
    pairs.loc[3, "actual"] = 50.0
    result = compare(pairs, "v2", "v1")
    assert (result.pairs, result.corporate_actions) == (599, 1)


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(6)))
def test_the_order_of_other_sessions_does_not_matter(order: list[int]) -> None:
    """What is paired depends on revisions, not on when the read side got it."""
    rows = [
        (symbol, day, version, 0, False, 100.0 + day + len(version), 100.0)
        for day in (0, 1, 2)
        for symbol, version in (("A", "v1"), ("A", "v2"))
    ]
    known = [("A", day, 0, False, 101.0) for day in (0, 1, 2)]
    assert found([rows[n] for n in order], known) == found(rows, known)
