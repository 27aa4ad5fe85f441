"""The benchmark of drift on a small simulated market: changes are what they say, so is the page."""

from datetime import date

import numpy as np
import pytest

from bench import drift, drift_changes, market, report_drift
from bench.drift_changes import Table
from tasks.core.drift import Drift, Finding
from tasks.core.drift_reference import WEEK
from tasks.core.panel import Panel
from tasks.core.simulator import simulate

SESSIONS, KEPT = 110, 70


@pytest.fixture(scope="module")
def panel() -> Panel:
    """A simulated market, side by side."""
    return Panel.from_sessions([(one.date, one.rows) for one in simulate(SESSIONS, 40, seed=5)])


@pytest.fixture(scope="module")
def table(panel: Panel) -> Table:
    """Its judged features."""
    return Table.of(panel, panel.dates[0])


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a year be short."""
    for module in (drift, drift_changes):
        monkeypatch.setattr(module, "KEPT", KEPT)


def column(table: Table, sessions: list[np.ndarray], name: str) -> np.ndarray:
    """One feature of all rows of sessions."""
    return np.concatenate(sessions)[:, table.names.index(name)]


def test_rows_follow_the_order_that_is_asked_for(table: Table) -> None:
    """Each session's rows are labelled by its place in the order."""
    places, values = table.rows([7, 3])
    sizes = [len(table.sessions[7]), len(table.sessions[3])]
    assert places.tolist() == [0] * sizes[0] + [1] * sizes[1]
    assert np.array_equal(values, np.concatenate([table.sessions[7], table.sessions[3]]), equal_nan=True)


@pytest.mark.parametrize("name", list(drift_changes.CHANGES))
def test_a_change_begins_with_its_week(table: Table, panel: Panel, name: str) -> None:
    """Five sessions with the same rows; the original stays as it was."""
    before = [one.copy() for one in table.sessions]
    kept = panel.values.copy()
    found = drift_changes.CHANGES[name](table, panel, 90)
    assert [len(one) for one in found] == [len(one) for one in table.sessions[90 : 90 + WEEK]]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, table.sessions, strict=True))
    assert np.array_equal(kept, panel.values, equal_nan=True)


def test_a_level_is_raised_in_ten_features(table: Table, panel: Panel) -> None:
    """Each by its deviation in the year before."""
    found, same = np.concatenate(drift_changes.level(table, panel, 90)), np.concatenate(table.sessions[90:95])
    raised = (found != same) & np.isfinite(same)
    assert raised.any(axis=0).sum() <= drift_changes.SHIFTED
    place = int(np.flatnonzero(raised.any(axis=0))[0])
    spread = np.nanstd(table.rows(range(90 - KEPT, 90))[1][:, place].astype(float), ddof=1)
    assert (found - same)[raised[:, place], place] == pytest.approx(spread, rel=1e-3)


def test_restless_prices_move_half_as_much_again(table: Table, panel: Panel) -> None:
    """The range of a session is 1.5 times as wide in logarithms; a tenth is traded where it is thin."""
    same = table.sessions[90:95]
    wide = column(table, drift_changes.restless(table, panel, 90), "range_1")
    assert wide == pytest.approx(1.5 * column(table, same, "range_1"), nan_ok=True, abs=1e-6)
    thin = column(table, drift_changes.thin(table, panel, 90), "turnover_log")
    assert thin == pytest.approx(column(table, same, "turnover_log") - np.log(10), abs=1e-4)


def test_a_tenth_of_the_trade_is_told_soon(table: Table, panel: Panel) -> None:
    """And the week as it was is not."""
    thin = table.with_week(90, drift_changes.thin(table, panel, 90))
    reference = table.reference(range(90 - KEPT, 90))
    assert drift.soon(table, reference, 90) is None
    assert (drift.soon(thin, reference, 90) or 99) <= WEEK


def test_an_answered_alarm_is_told_once(table: Table) -> None:
    """All sessions after the first year are judged; a lasting shift begins one alarm."""
    lasting = [one if n < 80 else one + np.float32(9) for n, one in enumerate(table.sessions)]
    shifted = Table(table.days, lasting, table.names)
    order = range(len(table.days))
    for how in ({}, {"answered": True}):
        found = drift.walk(shifted, order, **how)
        assert len(found.findings) == SESSIONS - KEPT
        assert len(found.alarms) >= 1
        assert 80 - KEPT <= found.alarms[0] <= 80 - KEPT + WEEK
    assert len(drift.walk(shifted, order).alarms) == 1


def test_the_page_tells_the_figures() -> None:
    """Shares and alarms a year; what was told when; the targets."""
    clear = Drift("vol_5", 0.9, 1e-6, "mean")
    findings = [Finding(0.5, (clear,), 2), Finding(0.0, (), 2)]
    days = [date(2024, 1, 1)] * drift.KEPT + [date(2024, 2, 1), date(2024, 2, 4)]
    one = drift.told([drift.Walk(findings, [0])], days)
    assert one["told"] == ["2024-02-01: 1 of 2 drifted over 5 sessions: vol_5 (mean, p 1e-06)"]
    figures = drift.Figures(
        market={"source": "a test", "first": "a", "last": "b", "sessions": 2, "features": 2},
        real={"never": one, "at each alarm": one | {"alarms": 0}},
        injected={"nothing": {"weeks": 4, "found": 1, "sessions": 2.0}}
        | {name: {"weeks": 4, "found": 3, "sessions": 3.5} for name in "xyz"},
        shuffled={"sessions": drift.told([drift.Walk(findings, [0]), drift.Walk(findings, [])], days)},
    )
    text = report_drift.page(figures)
    assert "| never | 2 | 1 (50.0 %) | 1 | 115.0 |" in text
    assert "- 2024-02-01: 1 of 2 drifted" in text
    assert "| x | 4 | 3 | 3.5 |" in text
    assert report_drift.reached(figures) == [75.0, 75.0, 75.0, 57.5, 0.0]


def test_the_market_is_measured_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the market to the figures, on a short one."""
    days = [(one.date, one.rows) for one in simulate(KEPT + 30, 12, seed=3)]
    monkeypatch.setattr(drift.market, "load", lambda _sessions: market.Market("a test", days))
    monkeypatch.setattr(drift, "SHUFFLES", 1)
    figures = drift.measure(20)
    assert figures.market["sessions"] == 20
    assert {one["sessions"] for one in figures.real.values()} == {20}
    assert {one["weeks"] for one in figures.injected.values()} == {1}
    assert report_drift.page(figures).startswith("# Drift\n")
