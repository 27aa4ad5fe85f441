"""Every oddity of the simulator: written where it is switched on, read as its truth says."""

import hashlib
import io
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.calendar import by_rules
from tasks.core.oddities import CATALOGUE, USUAL, Oddities
from tasks.core.places import in_order
from tasks.core.simulator import write_market
from tests.claims import Shelf
from tests.markets import written

IDENTITY = (
    *("stale", "recomputed", "misdated", "partial", "late_completed", "doubled", "appended"),
    *("thin", "phantom", "same_twice", "missing"),
)
"""What bears on the question which session a file holds."""

EVENTS = ("unannounced", "bad_ticks", "face_value", "delisted", "renamed", "halts", "thin", "same_twice")
LAYOUT = {11}
"""What is in every market: sessions have different numbers of rows."""

FIELDS = ["open", "high", "low", "close", "volume", "turnover"]

SEEN: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "close_is_ltp": lambda rows: rows["ltp"] == rows["close"],
    "zero_previous": lambda rows: rows["prev_close"].isna() & rows["last"].notna(),
    "previous_open": lambda rows: rows["open"] == rows["prev_close"],
    "close_outside": lambda rows: rows["close"] > rows["high"],
    "crossed": lambda rows: rows["high"] < rows["low"],
    "zero_prices": lambda rows: rows["low"].isna(),
    "zero_opens": lambda rows: rows["open"].isna() & rows["high"].isna(),
    "zero_volume": lambda rows: rows["volume"] == 0,
    "zero_turnover": lambda rows: (rows["turnover"] == 0) & (rows["volume"] > 0),
    "single_trades": lambda rows: (rows["high"] == rows["low"]) & (rows["trades"] <= 1),
    "vwap_outside": lambda rows: rows["turnover"] / rows["volume"] > 1.005 * rows["high"],
    "unannounced": lambda rows: rows["close"] / rows["prev_close"] < 0.89,
    "bad_ticks": lambda rows: rows["close"] > 3 * rows["prev_close"],
    "face_value": lambda rows: rows["symbol"].str.endswith("PO") & (rows["close"] == 100),
    "dear": lambda rows: rows["close"] > 15_000,
    "halts": lambda rows: rows.groupby("symbol")["date"].diff() > timedelta(days=27),
    "bare_history": lambda rows: rows[["prev_close", "vwap", "trades"]].isna().all(axis=1),
    "same_twice": lambda rows: (_last(rows, FIELDS) == rows[FIELDS]).all(axis=1),
    "thin": lambda rows: rows.groupby("date")["date"].transform("size") <= 12,
    "closures": lambda rows: rows["date"].diff() > timedelta(days=7),
    "odd_days": lambda rows: ~rows["date"].map(by_rules().trading_day),
    "renamed": lambda rows: rows["symbol"].str[:-1].isin(rows["symbol"]),
}
"""The rows in which an oddity is to be seen as they are read."""


def _last(rows: pd.DataFrame, fields: list[str]) -> pd.DataFrame:
    """Each row's values in the symbol's row before it."""
    return rows.groupby("symbol")[fields].shift()


def test_the_catalogue_has_every_number() -> None:
    """All of the real files' oddities can be switched, but those that every market has."""
    assert {odd.number for odd in CATALOGUE.values()} | LAYOUT == set(range(1, 29))
    assert all(0 < odd.share <= 1 for odd in CATALOGUE.values())


def test_oddities_are_chosen_by_name() -> None:
    """The usual ones by themselves, all, none or some; a name that there is not is an error."""
    assert {name for name in CATALOGUE if Oddities()[name]} == set(USUAL)
    assert all(Oddities.all()[name] for name in CATALOGUE)
    assert not any(Oddities.none()[name] for name in CATALOGUE)
    assert {name for name in CATALOGUE if Oddities.of(["thin"])[name]} == {"thin"}
    assert Oddities(thin=0.5)["thin"] == 0.5
    with pytest.raises(ValueError, match="no such oddity: staler; there are stale, recomputed"):
        Oddities(staler=1.0)


def test_the_reference_page_lists_the_catalogue() -> None:
    """Each oddity with its number, share and meaning."""
    page = (Path(__file__).parents[2] / "docs/reference/simulator.md").read_text("utf-8")
    for name, odd in CATALOGUE.items():
        usual = "yes" if name in USUAL else ""
        assert f"| {odd.number} | `{name}` | {odd.share:g} | {usual} | {odd.meaning} |\n" in page


def test_the_usual_market_of_a_seed_stays_as_it_was() -> None:
    """Figures elsewhere rest on it: the daily files' bytes are those before there were more oddities."""
    files = write_market(sessions=60, symbols=40, seed=7, daily=30)
    data = b"".join(content for name, content in sorted(files) if name.startswith("daily/"))
    assert (
        hashlib.sha256(data).hexdigest() == "25877ef80b9db1e4a9d1d7e90808c294375e43bc7a340262cce2d30b9eec3f2d"
    )


def test_every_oddity_draws_by_itself() -> None:
    """What one picks is the same whatever others there are."""
    alone, among = written("stale", "late_completed"), written("stale", "late_completed", "crlf", "appended")
    assert alone.manifest["kind"].tolist() == among.manifest["kind"].tolist()
    assert "late" in set(alone.manifest["kind"])


@pytest.mark.parametrize("name", SEEN)
def test_an_oddity_of_rows_is_seen(name: str) -> None:
    """Alone, in what is read from history and daily files; where it is off it is not there, but by chance."""
    symbols = 120 if name == "zero_prices" else 40
    odd, clean = (
        SEEN[name](market.rows).sum() for market in (written(name, symbols=symbols), written(symbols=symbols))
    )
    assert odd > 3 * clean


def test_a_symbol_written_with_a_space_is_one_symbol() -> None:
    """Oddity 10: what is read has one spelling, and the file's own fingerprint beside it."""
    market = written("spaced")
    raw = pd.read_parquet(io.BytesIO(market.files["history.parquet"]))["symbol"]
    assert raw.str.contains(" ").any()
    assert not market.rows["symbol"].str.contains(" ").any()
    assert any(file.former_hash for file in market.history.values())


@pytest.mark.parametrize("name", ["bad_closes", "zero_rows"])
def test_a_row_without_a_close_is_rejected(name: str) -> None:
    """Oddity 19: with the reason, and the row's volume is no help."""
    market = written(name, symbols=120)
    reasons = {reason for file in market.daily.values() for reason in file.rejected["reason"]}
    reasons |= {reason for file in market.history.values() for reason in file.rejected["reason"]}
    assert reasons == {"close_not_positive"}
    assert not any(len(file.rejected) for file in written(symbols=120).daily.values())


@pytest.mark.parametrize("seed", range(3))
def test_previous_closes_tell_of_announced_events_only(seed: int) -> None:
    """Oddity 22: whatever happens, a previous close that is not the last close is in the truth."""
    market = written("stale", *EVENTS, seed=seed, sessions=150)
    rows = market.rows[market.rows["last"].notna()]
    moved = rows[~((rows["prev_close"] / rows["last"] - 1).abs() < 0.005)]
    truth = market.table("adjustments.csv").set_index(["symbol", "date"])["kind"]
    ticks = _after(rows, truth[truth == "bad tick"].index)
    told = set(truth[truth == "announced"].index)
    assert set(zip(moved["symbol"], moved["date"], strict=True)) <= told | ticks
    assert set(truth) >= {"announced", "unannounced", "bad tick", "face value", "renamed", "delisted"}


def _after(rows: pd.DataFrame, places: pd.Index) -> set[tuple[str, date]]:
    """The next row of each (symbol, date)."""
    pairs = pd.Series(list(zip(rows["symbol"], rows["date"], strict=True)), index=rows.index)
    following = pairs.groupby(rows["symbol"]).shift(-1)
    return set(following[pairs.isin(list(places))].dropna())


def test_factors_are_what_prices_do() -> None:
    """Oddities 22 and 24: each event's factor, or its kind's mark, is in the rows of its symbol and day."""
    market = written(*EVENTS, seed=5, sessions=150)
    rows = market.rows.set_index(["symbol", "date"])
    for event in market.table("adjustments.csv").itertuples():
        row = rows.loc[(event.symbol, event.date)]
        if event.kind == "announced":
            assert row["prev_close"] / row["last"] == pytest.approx(event.factor, rel=0.005)
        elif event.kind == "unannounced":
            assert row["close"] / row["last"] == pytest.approx(event.factor, rel=0.12)
            assert row["prev_close"] == pytest.approx(row["last"], rel=0.001)
        else:
            assert event.factor == 1
            assert _marked(event, row, rows)


def _marked(event: tuple, row: pd.Series, rows: pd.DataFrame) -> bool:
    """Tell whether a row shows the event that adjusts nothing."""
    return {
        "bad tick": row["close"] > 3 * row["prev_close"],
        "face value": row["close"] == 100,
        "delisted": event.date == rows.loc[event.symbol].index.max(),
        "renamed": pd.isna(row["prev_close"]) and (event.was, event.date) in rows.index,
    }[event.kind]


@pytest.mark.parametrize(
    "name", [*IDENTITY, "odd_days", "closures", "halts", "renamed", "previous_open", "zero_previous"]
)
@pytest.mark.parametrize("order", ["sorted", "reversed"])
def test_an_oddity_ends_in_the_true_sessions(name: str, order: str) -> None:
    """History, then the files one a command, in order or in the opposite one, are the manifest's sessions."""
    market, shelf = written("stale", name, seed=3), Shelf()
    assert name in {"stale", "doubled"} or market.files != written("stale", seed=3).files
    claims = in_order(market.claims)
    for one in claims if order == "sorted" else reversed(claims):
        shelf.command(one)
    assert shelf.days() == market.truth


@given(st.integers(0, 7), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_a_folder_with_all_of_them(seed: int, order: random.Random) -> None:
    """One file a command, in any order, and again, ends in the manifest's sessions; so does one command."""
    market = written(*IDENTITY, seed=seed, sessions=24, daily=16)
    claims, single, together = list(market.claims), Shelf(), Shelf()
    order.shuffle(claims)
    for one in claims:
        single.command(one)
    together.command(*in_order(claims))
    assert single.days() == together.days() == market.truth
    single.command(*claims)
    assert single.days() == market.truth


def test_everything_at_once() -> None:
    """All oddities together, read without a refusal, end in the manifest's sessions."""
    market, shelf = written(*CATALOGUE, seed=4, sessions=60, daily=40), Shelf()
    shelf.command(*in_order(market.claims))
    assert shelf.days() == market.truth
