"""The join's benchmark: its events are what the page says, and wrong answers are never timed."""

from itertools import pairwise
from typing import Any

import orjson
import pytest

from bench import feed, report, report_join
from bench.join import Figures, compare
from events.envelope import decode

SIZES = feed.Sizes(350 * 8)


def test_half_of_the_actuals_come_before_their_prediction() -> None:
    """Every pair is there once; the events come in order, three sessions apart from their partners."""
    events = list(feed.history(SIZES))
    assert len(events) == 2 * SIZES.pairs
    assert all(a.position <= b.position for a, b in pairwise(events))
    places = {(e.topic, e.symbol, e.day): n for n, e in enumerate(events)}
    pairs = {key[1:] for key in places}
    early = sum(places["actuals", *key] < places["predictions", *key] for key in pairs)
    assert (len(pairs), early) == (SIZES.pairs, SIZES.pairs // 2)


def test_what_is_expected_is_the_chapters_formula() -> None:
    """Predicted minus actual of the very events that are fed."""
    sides: dict[tuple[str, str], dict[str, float]] = {}
    for placed in feed.history(SIZES):
        payload: Any = decode(placed.value).payload
        value = payload.predicted_close if placed.topic == "predictions" else payload.actual_close
        sides.setdefault((payload.symbol, str(payload.date)), {})[placed.topic] = value
    by_hand = {
        key: (s["predictions"], s["actuals"], round(s["predictions"] - s["actuals"], 6))
        for key, s in sides.items()
    }
    assert feed.expected(SIZES) == by_hand


def an_error(symbol: str, error: float = 1.0) -> bytes:
    """An error as a join writes it."""
    payload = {"symbol": symbol, "date": "2024-01-01", "predicted": 3.0, "actual": 2.0, "error": error}
    return orjson.dumps({"payload": payload})


@pytest.mark.parametrize(
    "values",
    [
        [an_error("A")],
        [an_error("A"), an_error("A")],
        [an_error("A"), an_error("B", 1.5)],
        [an_error("A"), an_error("C")],
        [an_error("A"), an_error("B"), an_error("B")],
    ],
    ids=["missing", "doubled", "wrong", "invented", "one too many"],
)
def test_a_join_with_wrong_answers_is_not_timed(values: list[bytes]) -> None:
    """The benchmark ends and says what is wrong."""
    wanted = {(symbol, "2024-01-01"): (3.0, 2.0, 1.0) for symbol in "AB"}
    compare("right", iter([an_error("A"), an_error("B")]), wanted, 2)
    with pytest.raises(SystemExit, match="expected 2"):
        compare("a join", iter(values), wanted, 2)


def test_the_page_orders_joins_by_speed() -> None:
    """The fastest comes first, the others with how many times slower they are."""
    joins = {
        "chapter": {"records": 100, "seconds": 10.0, "cpu": 1.0},
        "ours": {"records": 1000, "seconds": 2.0, "cpu": 1.0, "busy": {"read and decode": 0.4}},
    }
    overhead = {"warm": {"Prefect": 90.0, "read": 10.0}, "first": {"Prefect": 300.0, "read": 40.0}}
    figures = Figures(500, 20_000, joins, {"rows": 7, "first": 0.5}, {"read and decode": 2.0})
    figures.overhead, figures.events = overhead, {"written": 3.21}
    rows = [line for line in report_join.part(figures).splitlines() if line.startswith("| th")]
    assert rows[0].startswith("| this project")
    assert "| 500 | 1 |" in rows[0]
    assert rows[1].startswith("| the chapter")
    assert "| 10 | 50.0 |" in rows[1]
    assert "| all | 100.0 | 340.0 |" in report_join.part(figures)
    assert "| read and decode | 40% | 2.0 |" in report_join.part(figures)
    assert "| written | 3.2 |" in report_join.part(figures)
    assert "what is between | 60% | |" in report_join.part(figures)
    missed = report.missed(report_join.TARGETS, report_join.reached(figures))
    assert missed == [str(report_join.TARGETS[0]), str(report_join.TARGETS[4])]
    assert "| times as fast as Quix Streams | 2 | not measured |  |" in report_join.part(figures)
