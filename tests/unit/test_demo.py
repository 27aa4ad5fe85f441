"""The demo's plan and its figures."""

from datetime import date
from typing import Any

import pytest

from events.payloads import ErrorComputed
from infra.cli.demo.score import score
from tasks.core.rehearsal import plan
from tasks.core.simulator import Oddities, write_market


def the_market() -> tuple[dict[date, int], list[tuple[str, bytes]], dict[str, bytes]]:
    """A small market: rows by session of its table, its daily files, and all its files."""
    import io  # noqa: PLC0415

    import pandas as pd  # noqa: PLC0415

    files = dict(write_market(sessions=30, symbols=12, seed=3, daily=8, oddities=Oddities()))
    days = pd.to_datetime(pd.read_parquet(io.BytesIO(files["history.parquet"]))["date"]).dt.date
    counts = days.value_counts()
    daily = [
        (name.removeprefix("daily/"), files[name]) for name in sorted(files) if name.startswith("daily/")
    ]
    return dict(zip(counts.index.tolist(), counts.tolist(), strict=True)), daily, files


def test_history_ends_where_the_played_sessions_begin() -> None:
    """The last sessions are played, everything before them is history, stale repeats count nothing."""
    history, daily, files = the_market()
    made = plan(history, daily, live=3, most=20)
    truth = [line.split(",") for line in files["manifest.csv"].decode().splitlines()]
    at = {name: n for n, name in enumerate(truth[0])}
    firsts = [
        row[at["file"]].removeprefix("daily/")
        for row in truth[1:]
        if row[at["repeats_previous_session"]] == "False"
    ]
    assert made.live == firsts[-3:]
    assert made.sessions == 20
    assert made.until < min(date.fromisoformat(name[:10].replace("_", "-")) for name in made.live)


def test_too_few_sessions_are_refused() -> None:
    """Ten sessions can't be played when eight come as daily files."""
    history, daily, _ = the_market()
    with pytest.raises(ValueError, match="too few to play 10"):
        plan(history, daily, live=10, most=750)


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
