"""The plan for a larger market is arithmetic on saved figures."""

from dataclasses import asdict
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import scale
from bench.report import saved
from tests.unit.test_bench_report import measured_backfill, measured_features

FIGURES = {
    "join": {"joins": {"ours": {"records": 1_000_000, "seconds": 40.0}}},
    "features": asdict(measured_features()),
    "backfill": asdict(measured_backfill()),
}
COSTS = scale.Costs.of(FIGURES)


def test_costs_are_taken_from_the_figures() -> None:
    """Each is seconds or bytes of one symbol in one session."""
    assert COSTS.compute == pytest.approx(0.080 / 350)
    assert COSTS.backfill == pytest.approx(100 / 400_000)
    assert COSTS.send == pytest.approx(5 / 50_000)
    assert COSTS.join == pytest.approx(2 * 40 / 1_000_000)
    assert COSTS.rebuild == pytest.approx(200 / 400_000)
    assert (COSTS.event, COSTS.row) == (3000, 700)
    assert COSTS.memory == pytest.approx(2100e6 / 90)


def test_what_was_not_measured_is_named() -> None:
    """With the command that measures it."""
    with pytest.raises(SystemExit, match="python -m bench backfill features --write"):
        scale.Costs.of({"join": {}})


def test_the_plan_has_the_market_as_it_is_beside_the_larger_one() -> None:
    """A line a need, with its formula."""
    lines = scale.plan(COSTS, scale.Asked(times=1000)).splitlines()
    assert lines[0] == "| what | formula | the market as it is | 1,000 times |"
    assert lines[2] == "| vectors a session | 350 * times | 350 | 350,000 |"
    assert len(lines) == 2 + len(scale.NEEDS)
    assert "| compute | 228.6 µs |" in scale.units(COSTS)


@given(st.integers(1, 10_000), st.floats(1, 120), st.floats(0.5, 30))
def test_processes_and_partitions_suffice(times: int, minutes: float, years: float) -> None:
    """Everything is through in time, no process lacks a partition, no need falls as the market grows."""
    asked = scale.Asked(times=times, minutes=minutes, years=years)
    of_vector = COSTS.compute + COSTS.send
    spent = scale.session(COSTS, asked) * of_vector / scale.computing(COSTS, asked)
    assert spent <= minutes * 60 / 2 * (1 + 1e-9)
    assert scale.partitions(COSTS, asked) >= 2 * max(
        scale.computing(COSTS, asked), scale.joining(COSTS, asked)
    )
    assert (
        scale.filling(COSTS, asked) * asked.backfill_hours * 3600
        >= scale.history(COSTS, asked) * COSTS.backfill
    )
    assert scale.blocks(COSTS, asked) == ceil(350 * times * COSTS.memory / asked.worker_bytes)
    larger = scale.Asked(times=2 * times, minutes=minutes, years=years)
    grown = [need.what for need in scale.NEEDS if need.value(COSTS, larger) < need.value(COSTS, asked)]
    assert [what for what in grown if not what.startswith("hours")] == []


def test_the_page_holds_the_plan_of_the_saved_figures() -> None:
    """Whoever measures again is told to write the plan again: `python -m bench.scale --write`."""
    costs = scale.Costs.of(saved())
    page = scale.PAGE.read_text("utf-8")
    assert scale.written(page, f"{scale.units(costs)}\n{scale.plan(costs, scale.Asked())}") == page


def test_a_page_without_marks_is_refused() -> None:
    """The plan would be lost without a word."""
    with pytest.raises(SystemExit, match="lacks the marks"):
        scale.written("# A page", "| a table |")
