"""Drift of features against formulas by hand, injected shifts, and markets in which nothing happens."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.core import drift, drift_reference
from tasks.core.drift import Drift, Finding, Limits
from tasks.core.drift_reference import Reference
from tasks.core.training import HOLDOUT

NAMES = ["own", "moving", "market", "flag", "empty"]
SESSIONS, SYMBOLS = 260, 40
TENTH = Limits(share=0.1)


def market(seed: int, sessions: int = SESSIONS) -> tuple[np.ndarray, np.ndarray]:
    """Make sessions in which nothing drifts: their days, and the values of NAMES, a row a symbol.

    `own` is independent, `moving` moves together, `market` is one value a session, `flag` is rare.
    """
    generator = np.random.default_rng(seed)
    days = np.repeat(np.arange(sessions), SYMBOLS)
    together = np.repeat(generator.normal(size=sessions), SYMBOLS)
    own = generator.normal(size=len(days))
    flag = (generator.random(len(days)) < 0.02).astype(float)
    return days, np.column_stack([own, own + together, together, flag, np.full(len(days), np.nan)])


def last_week(days: np.ndarray) -> np.ndarray:
    """Rows of the newest week."""
    return days > days.max() - drift_reference.WEEK


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A year of that market."""
    found = Reference.of(*market(1), NAMES)
    assert found is not None
    return found


def by_name(drifts: list[Drift]) -> dict[str, Drift]:
    """Find a feature's."""
    return {one.name: one for one in drifts}


def test_psi_is_the_symmetric_divergence() -> None:
    """By hand, and by scipy's entropy in both directions; a bin that is empty on one side is finite."""
    p, q = np.array([0.5, 0.5]), np.array([0.2, 0.8])
    assert drift.psi(p, q) == pytest.approx(-0.3 * np.log(0.4) + 0.3 * np.log(1.6))
    assert drift.psi(p, q) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))
    assert drift.psi(np.array([1.0, 0.0]), np.array([0.0, 1.0])) > 5


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=10))
@settings(deadline=None)
def test_psi_is_symmetric_and_never_negative(weights: list[float]) -> None:
    """Equal distributions have none."""
    p = np.array(weights) / sum(weights)
    q = p[::-1]
    assert drift.psi(p, p) == pytest.approx(0)
    assert drift.psi(p, q) == pytest.approx(drift.psi(q, p))
    assert drift.psi(p, q) >= 0


def test_a_reference_is_what_the_year_was_like(reference: Reference) -> None:
    """Deciles of the newest 250 sessions; weeks as they are by hand; it survives JSON."""
    days, values = market(1)
    newest = values[days >= SESSIONS - 250]
    assert reference.sessions == 250
    assert reference.edges[0] == pytest.approx(np.quantile(newest[:, 0], np.linspace(0.1, 0.9, 9)))
    assert reference.shares[0] == pytest.approx([0.1] * 10 + [0.0], abs=1e-3)
    assert (reference.edges[3], reference.shares[4]) == ([0.0], [0.0, 1.0])
    weeks = newest[:, 1].reshape(50, drift_reference.WEEK, SYMBOLS).mean(axis=2).mean(axis=1)
    assert reference.centres[1][drift.MEAN] == pytest.approx(weeks.mean())
    assert reference.spreads[1][drift.MEAN] == pytest.approx(weeks.std(ddof=1))
    assert reference.weeks[1][drift.MEAN] == 50
    assert reference.centres[2][drift.SPREAD] == 0
    assert reference.centres[4] == [None, None, 1.0]
    assert Reference.from_dict(json.loads(json.dumps(reference.to_dict(), allow_nan=False))) == reference


def test_few_weeks_are_no_reference() -> None:
    """Sixty sessions are twelve weeks, fifty-nine are not."""
    days, values = market(2, sessions=60)
    assert Reference.of(days, values, NAMES) is not None
    assert Reference.of(days[days > 0], values[days > 0], NAMES) is None
    assert Reference.of(days[:0], values[:0], NAMES) is None


def test_held_out_sessions_are_a_reference_of_forecasts() -> None:
    """Forecasts are known of them alone: with fewer no version would ever be watched for what it says."""
    assert HOLDOUT >= drift_reference.MIN_WEEKS * drift_reference.WEEK
    days = np.arange(HOLDOUT)
    assert Reference.of(days, np.zeros((HOLDOUT, 1)), ["forecast"]) is not None


def test_a_week_is_tested_as_one_more_of_the_reference() -> None:
    """The two-sided t-test of one value against fifty by hand, adjusted by scipy."""
    days, values = market(1)
    reference = Reference.of(days, values[:, :1], NAMES[:1])
    assert reference is not None
    newer, fresh = market(3)
    week = fresh[last_week(newer), 0].reshape(drift_reference.WEEK, SYMBOLS)
    levels = [week.mean(), week.std(axis=1).mean()]
    [centre], [spread] = (np.array(one, dtype=float) for one in (reference.centres, reference.spreads))
    t = (levels - centre[:2]) / (spread[:2] * np.sqrt(1 + 1 / 50))
    expected = stats.false_discovery_control([*(2 * stats.t.sf(np.abs(t), 49)), 1.0])
    [found] = drift.compare(reference, newer, fresh[:, :1])
    assert found.p_value == pytest.approx(expected.min())
    assert found.statistic == drift_reference.STATISTICS[expected.argmin()]


def test_nothing_happens_where_nothing_happens(reference: Reference) -> None:
    """Forty other markets of the same kind: no feature is both unlike and improbable."""
    found = [drift.drifted(drift.compare(reference, *market(seed, sessions=5))) for seed in range(10, 50)]
    assert sum(bool(one.drifted) for one in found) <= 1
    assert {one.judged for one in found} == {len(NAMES)}


@pytest.mark.parametrize(
    ("spoil", "name", "statistic"),
    [
        (lambda v: v + np.array([1.0, 0, 0, 0, 0]), "own", "mean"),
        (lambda v: v * np.array([2.0, 1, 1, 1, 1]), "own", "spread"),
        (lambda v: np.where(np.arange(5) == 1, np.nan, v), "moving", "missing"),
        (lambda v: v + np.array([0, 0, 5.0, 0, 0]), "market", "mean"),
        (lambda v: np.where(np.arange(5) == 3, 1 - v, v), "flag", "mean"),
        (lambda v: np.where(np.arange(5) == 4, 0.0, v), "empty", "missing"),
    ],
    ids=["level", "scale", "gone", "market-wide", "flag", "appeared"],
)
def test_a_shift_is_found_and_nothing_else(
    reference: Reference, spoil: Callable[[np.ndarray], np.ndarray], name: str, statistic: str
) -> None:
    """Each kind of shift in one feature names it and what about it differs."""
    days, values = market(4)
    spoiled = np.where(last_week(days)[:, None], spoil(values), values)
    found = drift.drifted(drift.compare(reference, days, spoiled))
    assert [(one.name, one.statistic) for one in found.drifted] == [(name, statistic)]
    assert found.share == 1 / len(NAMES)
    assert found.why().startswith(f"1 of 5 drifted over 5 sessions: {name} ({statistic}, p ")


def test_a_small_shift_of_everything_is_no_other_distribution(reference: Reference) -> None:
    """However improbable: with thousands of rows everything is, which the index is there for."""
    days, values = market(5)
    shifted = np.where(last_week(days)[:, None], values + np.array([0.25, 0, 0, 0, 0]), values)
    [own, *_] = drift.compare(reference, days, shifted)
    assert own.p_value < 0.01
    assert own.psi < 0.25
    assert drift.drifted([own]) == Finding(0.0, (), 1)


def test_less_than_a_week_is_not_judged(reference: Reference) -> None:
    """Four sessions say nothing; the share of nothing is none."""
    days, values = market(6, sessions=4)
    assert drift.compare(reference, days, values) == []
    assert drift.drifted([]) == Finding(0.0, (), 0)


def test_order_and_history_change_nothing(reference: Reference) -> None:
    """Rows come in any order, and older sessions than the week are ignored."""
    days, values = market(7)
    mixed = np.random.default_rng(0).permutation(len(days))
    week = last_week(days)
    expected = drift.compare(reference, days, values)
    for found in (
        drift.compare(reference, days[mixed], values[mixed]),
        drift.compare(reference, days[week], values[week]),
    ):
        assert [one.name for one in found] == NAMES
        assert [x for one in found for x in one[1:3]] == pytest.approx(
            [x for one in expected for x in one[1:3]], nan_ok=True
        )


def test_what_goes_where_it_goes_is_not_judged() -> None:
    """Calendar, rupees, ranks and lags are left out; the rest keeps its order."""
    names = ["ret_1", "weekday", "rank_ret_1", "vwap_gap_lag1", "close_log", "mkt_mean"]
    assert drift_reference.judged(names) == ["ret_1", "mkt_mean"]


@pytest.mark.parametrize(
    ("shares", "alarmed", "begins"),
    [
        ([], False, False),
        ([0.3], False, False),
        ([0.3, 0.3], False, True),
        ([0.3, 0.09, 0.3], False, False),
        ([0.3, 0.3, 0.3], False, False),
        ([0.3, 0.3, 0.06, 0.3, 0.3], False, False),
        ([0.3, 0.3, 0.04, 0.3, 0.3], False, True),
        ([0.3, 0.3], True, False),
        ([0.04, 0.3, 0.3], True, True),
    ],
)
def test_an_alarm_begins_once(shares: list[float], alarmed: bool, begins: bool) -> None:
    """Two sessions enter it, less than half of the limit leaves it, trembling does neither."""
    assert drift.begins(shares, TENTH, alarmed=alarmed) is begins


@given(st.lists(st.sampled_from([0.0, 0.04, 0.07, 0.1, 0.4]), max_size=30), st.booleans())
@settings(deadline=None)
def test_between_two_alarms_there_is_a_quiet_session(shares: list[float], alarmed: bool) -> None:
    """And an alarm needs two loud ones."""
    places = [n for n in range(1, len(shares) + 1) if drift.begins(shares[:n], TENTH, alarmed=alarmed)]
    for before, after in zip([0, *places], places, strict=False):
        assert min(shares[after - 2 : after]) >= 0.1
        assert not (before or alarmed) or min(shares[before:after]) < 0.05
