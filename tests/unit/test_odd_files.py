"""Oddities of the simulator's files: what they hold and how they are encoded, as their truth says."""

import hashlib
import io

import pandas as pd
import pytest

from infra.store import to_parquet
from tasks.core.prices import content_hash, read_prices
from tests.markets import written


@pytest.mark.parametrize(
    "name",
    ["appended", "doubled", "layouts", "unnumbered", "commas", "zero_averages", "crlf", "byte_order_mark"],
)
def test_an_oddity_of_files_changes_no_value(name: str) -> None:
    """Oddities 5, 6, 8, 9, 12: other bytes, the same rows (but for last prices that a layout leaves out)."""
    odd, clean = written(name, seed=2), written(seed=2)
    assert odd.truth == clean.truth
    assert {k: v for k, v in odd.files.items() if k[:5] == "daily"} != {
        k: v for k, v in clean.files.items() if k[:5] == "daily"
    }


@pytest.mark.parametrize("name", ["doubled", "appended"])
def test_doubled_files_are_told(name: str) -> None:
    """Oddity 5: the truth marks them, and the reader counts their rows."""
    market = written(name, seed=2)
    doubled = {name for name, file in market.daily.items() if file.doubled}
    assert doubled == set(market.manifest.loc[market.manifest["doubled"], "file"])
    assert all(market.daily[name].doubled == len(market.daily[name].rows) for name in doubled)
    assert doubled


def test_layouts_and_names() -> None:
    """Oddity 6: 21, 22, 24 columns, one less without S.No, and such files are named month first."""
    market = written("layouts", "unnumbered")
    assert set(market.manifest["columns"]) - {20, 23} == {21, 22, 24}
    bare = market.manifest[market.manifest["columns"].isin([20, 23])]
    assert [f"{line.file_date:%m_%d_%Y}.csv" for line in bare.itertuples()] == bare["file"].tolist()
    assert len(bare)


def test_bytes_are_as_the_truth_says() -> None:
    """Size and sha256 of each file, and which of them are the ones before byte for byte."""
    market, before = written("stale", "recomputed", "crlf"), b""
    for line in market.manifest.itertuples():
        data = market.files[f"daily/{line.file}"]
        assert (line.bytes, line.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        if line.kind == "repeat":
            assert line.byte_identical_to_previous == (data == before)
        before = data
    assert set(market.manifest.loc[market.manifest["kind"] == "repeat", "byte_identical_to_previous"]) == {
        True,
        False,
    }


def test_partial_and_early_files_have_less() -> None:
    """Oddity 4: thirteen rows of two sessions, or all of one while it ran; both are said to be incomplete."""
    market = written("stale", "partial", "late_completed")
    for line in market.manifest[~market.manifest["complete"]].itertuples():
        rows = market.daily[line.file].rows
        whole = market.rows[market.rows["date"] == line.data_date].set_index("symbol")
        assert line.kind in {"partial", "early"}
        if line.kind == "partial":
            assert (len(rows), line.rows) == (13, 13)
        else:
            assert (rows["volume"].to_numpy() <= whole.loc[rows["symbol"], "volume"].to_numpy()).all()
    assert {"partial", "early", "late", "misdated"} <= set(market.manifest["kind"])


def test_a_missing_session_is_in_the_history_only() -> None:
    """Oddity 28: no daily file has it; the history has it without previous closes and promoter shares."""
    market = written("stale", "missing")
    days = market.odd_days.loc[market.odd_days["kind"] == "missing", "data_date"]
    assert not set(days) & set(market.manifest["data_date"])
    for day in days:
        rows = market.history[day].rows
        assert rows["prev_close"].isna().all()
        assert not rows["symbol"].str.endswith("PO").any()
    assert len(days)


def test_a_phantom_day_repeats_a_neighbour() -> None:
    """Oddity 16: the history has a session's rows once more on a day on which there was none."""
    market = written("phantom", sessions=60)
    [line] = market.odd_days.itertuples()
    assert line.kind == "phantom"
    assert content_hash(market.history[line.file_date].rows) == market.truth[line.data_date]
    assert line.file_date not in market.truth


def test_company_files_are_as_the_truth_says() -> None:
    """Oddity 26: two layouts, rows doubled or contradicted, out of order, one file with carriage returns."""
    market = written("company_files")
    truth, names = market.table("companies.csv"), {"published_date": "date", "Ltp": "close"}
    names |= {"traded_quantity": "volume", "traded_amount": "turnover", "Qty": "volume"}
    for line in truth.itertuples():
        table = pd.read_csv(io.BytesIO(market.files[f"company-wise/{line.file}"])).rename(columns=names)
        table = table.rename(columns=str.lower).assign(symbol=line.symbol)
        found = [file for _, file in read_prices(to_parquet(table), line.file)]
        assert len(table) == line.rows
        assert sum(file.doubled for file in found) == line.doubled
        assert sum(len(file.rejected) for file in found) == 2 * line.conflicting
        days = pd.to_datetime(table["date"])
        assert {"ascending": days.is_monotonic_increasing, "descending": days.is_monotonic_decreasing}.get(
            line.order, True
        ) or line.doubled + line.conflicting > 0
    assert set(truth["order"]) == {"ascending", "descending", "mixed"}
    assert truth[["doubled", "conflicting"]].sum().gt(0).all()
    contents = [market.files[f"company-wise/{name}"] for name in truth["file"]]
    assert sum(b"\r\n" in content for content in contents) == 1
    assert any(b",nan," in content for content in contents)


def test_a_vendor_s_calendar_is_wrong_at_times() -> None:
    """Oddity 14: days of sessions are said to be closed and the other way round."""
    calendar = written("calendar_errors", sessions=200).table("trading_calendar.csv")
    sessions = set(written(sessions=200).truth)
    assert calendar["truth"].tolist() == [day in sessions for day in calendar["date"]]
    assert (calendar["trading"] != calendar["truth"]).sum() == round(0.02 * len(calendar))
