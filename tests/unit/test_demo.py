"""The demo's plan and its figures."""

from datetime import date
from functools import partial
from typing import Any

import pytest

from events.payloads import ErrorComputed
from infra.cli.demo.score import score
from tasks.core.places import in_order
from tasks.core.prices import read_prices
from tasks.core.rehearsal import Plan, plan
from tests.claims import Shelf
from tests.markets import START, Written, written


def planned(market: Written, live: int, most: int = 750) -> Plan:
    """Plan a demo on a market's files."""
    history = {day: len(content.rows) for day, content in market.history.items()}
    daily = [(name.removeprefix("daily/"), data) for name, data in market.files.items() if "daily/" in name]
    recent = partial(read_prices, market.files["history.parquet"], "history.parquet")
    return plan(history, recent, daily, live, most)


def test_history_ends_where_the_played_sessions_begin() -> None:
    """The last sessions are played, everything before them is history, stale repeats count nothing."""
    market = written("stale", "recomputed", "layouts")
    made = planned(market, live=3, most=20)
    firsts = market.manifest.loc[~market.manifest["repeats_previous_session"], "file"].tolist()
    days = list(market.truth)
    assert made.live == firsts[-3:]
    assert (made.since, made.sessions) == (days[-23], 20)
    assert made.rows == market.rows["date"].isin(days[-23:-3]).sum()
    assert days[-4] <= made.until < days[-3]


@pytest.mark.parametrize("live", [3, 12])
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize(
    ("name", "kind"), [("misdated", "misdated"), ("partial", "partial"), ("late_completed", "early")]
)
def test_files_are_played_that_end_in_the_true_sessions(name: str, kind: str, seed: int, live: int) -> None:
    """No name tells the session: played file by file on top of the history, all are there in the end."""
    market, shelf = written("stale", name, seed=seed), Shelf()
    assert kind in set(market.manifest["kind"])
    made = planned(market, live)
    shelf.command(*in_order(one for one in market.claims if made.since <= (one.named or START) <= made.until))
    assert list(shelf.days()) == list(market.truth)[:-live]
    files = {one.source: one for one in market.claims if one.source != "history"}
    for played in made.live:
        shelf.command(files[played])
    assert shelf.days() == market.truth


def test_too_few_sessions_are_refused() -> None:
    """Ten sessions can't be played when eight come as daily files."""
    market = written("stale", sessions=30, daily=8)
    with pytest.raises(
        ValueError, match="30 sessions, 8 of them in daily files: too few to play the last 10"
    ):
        planned(market, live=10)


def an_error(
    error: float, baseline: float | None, version: str = "v1", symbol: str = "", **fields: Any
) -> ErrorComputed:
    """An error event, by itself of a symbol of its own."""
    return ErrorComputed(
        symbol=symbol or f"A{error}",
        date=date(2024, 1, 1),
        predicted=1.0,
        actual=1.0,
        error=error,
        abs_error=abs(error),
        model_version=version,
        baseline_error=baseline,
        **fields,
    )


def test_score_compares_on_the_same_pairs() -> None:
    """Persistence's own predictions and those without a baseline are left out of both sides."""
    found = score([an_error(3.0, -4.0), an_error(-1.0, 2.0), an_error(9.0, 9.0, "v0"), an_error(5.0, None)])
    assert found is not None
    assert (found.predictions, found.mae, found.baseline_mae) == (2, 2.0, 3.0)
    assert found.rmse == pytest.approx(5**0.5)
    assert found.baseline_rmse == pytest.approx(10**0.5)


def test_score_counts_what_holds_in_the_end() -> None:
    """Of an error's revisions the newest, and none that was taken back."""
    told = [an_error(9.0, 9.0, symbol="A"), an_error(3.0, -4.0, symbol="A", revision=1)]
    told += [an_error(5.0, 5.0, symbol="B"), an_error(5.0, 5.0, symbol="B", revision=1, retracted=True)]
    found = score(told)
    assert found is not None
    assert (found.predictions, found.mae, found.baseline_mae) == (1, 3.0, 4.0)


def test_no_trained_version_no_score() -> None:
    """When only persistence served there is nothing to compare."""
    assert score([an_error(1.0, 1.0, "v0")]) is None
