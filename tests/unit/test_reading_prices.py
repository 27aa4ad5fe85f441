"""Any price file by its content: daily or history, CSV or parquet, all symbols or one company's."""

import io
from datetime import UTC, date, datetime
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import prices
from tasks.core.layout import DailyFile, NotAPriceFileError
from tasks.core.prices import content_hash, read_daily, read_prices
from tasks.core.simulator import Oddities, daily_csv, simulate, write_market
from tasks.core.symbols import canonical
from tests.realdata import manifest, real_folder
from tests.spelling import as_read

MARKET = list(simulate(6, 12, seed=2))
DAY = date(2024, 3, 5)
COMPANY = b"""published_date,open,high,low,close,per_change,traded_quantity,traded_amount,status
2024-03-06,11.0,12.0,10.0,11.5,nan,100,1150.0,0
2024-03-05,10.0,"1,011.0",10.0,11.0,1.0,"1,000",11000.0,1
2024-03-05,10.0,"1,011.0",10.0,11.0,1.0,"1,000",11000.0,1
"""
COMPANY_LTP = b"""S.N.,Date,Open,High,Low,Ltp,% Change,Qty,Turnover\r
1,2024-03-05,10.0,"1,011.0",10.0,11.0,1.0,"1,000",11000.0\r
"""


def _read(data: bytes, source: str = "x") -> list[tuple[date | None, DailyFile]]:
    return list(read_prices(data, source))


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A simulated market's history, manifest and daily files."""
    return dict(write_market(sessions=12, symbols=12, seed=6, daily=2, oddities=Oddities.none()))


@pytest.mark.parametrize("text", [True, False])
def test_a_daily_file_as_parquet(text: bool) -> None:
    """The exchange's columns in parquet, as text or as numbers, are the same session; it has no date."""
    data = daily_csv(MARKET[-1])
    frame = pd.read_csv(io.BytesIO(data), dtype=str if text else None, thousands=None if text else ",")
    [(day, found)] = _read(_parquet(frame), "2024_03_05.csv")
    assert day is None
    pd.testing.assert_frame_equal(found.rows, read_daily(data, "x").rows)


def test_a_daily_file_under_our_names() -> None:
    """A session in the tidy columns, without a date, is a daily file too."""
    rows = read_daily(daily_csv(MARKET[-1]), "x").rows
    [(day, found)] = _read(_parquet(rows))
    assert day is None
    pd.testing.assert_frame_equal(found.rows, rows)


def test_a_history_as_csv(files: dict[str, bytes]) -> None:
    """The price table written as CSV gives the sessions of the parquet."""
    expected = list(read_prices(files["history.parquet"], "h"))
    table = pd.read_parquet(io.BytesIO(files["history.parquet"]))
    for data in (table.to_csv(index=False).encode(), files["history.parquet"]):
        found = _read(data)
        assert [day for day, _ in found] == [day for day, _ in expected]
        for (_, one), (_, other) in zip(found, expected, strict=True):
            pd.testing.assert_frame_equal(one.rows, other.rows)


def test_only_the_sessions_wanted(files: dict[str, bytes]) -> None:
    """Of a history the range counts; lines stay those of the whole table."""
    days = [day for day, _ in _read(files["history.parquet"]) if day]
    found = list(read_prices(files["history.parquet"], "h", days[2], days[4]))
    assert [day for day, _ in found] == days[2:5]
    table = pd.read_parquet(io.BytesIO(files["history.parquet"]))
    table.loc[table.index[-1], "close"] = 0.0
    [(_, last)] = read_prices(_parquet(table), "h", days[-1])
    assert last.rejected["line"].tolist() == [len(table)]


@given(st.lists(st.integers(1, 9)), st.integers(1, 12))
def test_a_table_is_cut_into_spans_of_whole_days(numbers: list[int], most: int) -> None:
    """Every wanted row is in one span, in the file's order; days ascend and stay whole; spans are bounded."""
    days = np.array([date(2024, 3, number) for number in numbers], dtype=object)
    wanted = np.flatnonzero([number > 1 for number in numbers])
    cut = [span.tolist() for span in prices.spans(days, wanted, most)]
    assert sorted(place for span in cut for place in span) == wanted.tolist()
    assert all(span == sorted(span) for span in cut)
    held = [sorted(numbers[place] for place in span) for span in cut]
    assert all(one[-1] < other[0] for one, other in pairwise(held))
    assert all(sum(number != span[-1] for number in span) < most for span in held)


def test_a_table_of_several_spans_is_read_as_one(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions, their rows left out and their lines do not depend on where a long table is cut."""
    table = pd.read_parquet(io.BytesIO(files["history.parquet"]))
    table.loc[table.index[::7], "close"] = 0.0
    table = pd.concat([table, table.iloc[::5]], ignore_index=True)
    whole = _read(_parquet(table))
    monkeypatch.setattr(prices, "spans", partial(prices.spans, most=20))
    for (day, one), (same, other) in zip(_read(_parquet(table)), whole, strict=True):
        assert (day, one.doubled, one.doubtful) == (same, other.doubled, other.doubtful)
        pd.testing.assert_frame_equal(one.rows, other.rows)
        pd.testing.assert_frame_equal(one.rejected, other.rejected)


@pytest.mark.parametrize("name", ["NICAD85_86.csv", "https://h/a/NICAD85_86.csv?raw=1", "NICAD 85_86.csv"])
def test_one_company_s_history(name: str) -> None:
    """PROVENANCE 26: the name of the file is the symbol, rows come in any order and twice."""
    first, second = _read(COMPANY, name)
    assert (first[0], second[0]) == (DAY, date(2024, 3, 6))
    assert first[1].doubled == 1
    [row] = first[1].rows.to_dict("records")
    assert (row["symbol"], row["close"], row["volume"], row["high"]) == ("NICAD85/86", 11.0, 1000.0, 1011.0)
    [(day, other)] = _read(COMPANY_LTP, name)
    assert day == DAY
    assert content_hash(other.rows) == content_hash(first[1].rows)


def test_a_company_s_contradicting_rows_are_rejected() -> None:
    """PROVENANCE 26: two rows of one day that differ are both put aside; the other days stay."""
    data = COMPANY + b"2024-03-06,11.0,12.0,10.0,11.4,0.1,100,1150.0,0\n"
    days = dict(_read(data, "A.csv"))
    assert days[date(2024, 3, 6)].rejected["reason"].tolist() == ["conflicting_rows"] * 2
    assert len(days[DAY].rows) == 1


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-03-05"],
        [" 2024-03-05 "],
        ["2024-03-05T00:00:00"],
        [DAY],
        [pd.Timestamp(DAY)],
        [datetime(2024, 3, 5, tzinfo=UTC)],
    ],
)
def test_dates_of_any_type(dates: list[object]) -> None:
    """Text, dates and timestamps name the same day."""
    table = MARKET[0].rows.head(1).assign(date=dates)
    assert [day for day, _ in _read(_parquet(table))] == [DAY]


@pytest.mark.parametrize("bad", ["", "05/03/2024", "2024-02-30", None])
def test_a_row_without_a_date_refuses_the_table(bad: str | None) -> None:
    """It belongs to no session; the message names the row."""
    table = MARKET[0].rows.head(2).assign(date=["2024-03-05", bad])
    with pytest.raises(NotAPriceFileError, match=r"x: expected a price table.*row 2 has no date"):
        _read(_parquet(table))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "its header names"),
        (b"<html><body>404</body></html>", "its header names"),
        (b"\xff\xfe\x00", "not readable text"),
        (b"PAR1 is not enough", "not parquet"),
        (_parquet(pd.DataFrame({"a": [1]})), "its header names a"),
        (b"Symbol,Open,High,Low,Close,Vol,Turnover\n", "a header and no rows"),
        (b"Symbol,Open,High,Low,Close,Close,Vol,Turnover\n1,2,3,4,5,5,6,7\n", "Close, Close"),
    ],
)
def test_what_is_no_price_file_is_refused(data: bytes, why: str) -> None:
    """Anything else is refused whole, in a sentence that says what was expected and what came."""
    with pytest.raises(NotAPriceFileError, match=f"x: expected a daily price file.*{why}"):
        _read(data)


def test_a_table_with_an_index_and_categories() -> None:
    """Dates in the index and symbols as categories, as pandas likes to store them, are read."""
    table = MARKET[0].rows.assign(date=DAY).astype({"symbol": "category"}).set_index("date")
    [(day, found)] = _read(_parquet(table))
    assert day == DAY
    pd.testing.assert_frame_equal(found.rows, as_read(MARKET[0].rows))


def test_cells_that_are_no_numbers_are_rejected_not_raised() -> None:
    """A table of any types is read; what is unreadable has its code, in any column type."""
    table = MARKET[0].rows.head(2).assign(date=DAY, close=["eleven", "11"], volume=[[1], [2]])
    [(_, found)] = _read(_parquet(table))
    assert found.rejected["reasons"].tolist() == ["unreadable_close unreadable_volume", "unreadable_volume"]


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("NICAD 85/86", "NICAD85/86"),
        ("NICAD85_86", "NICAD85/86"),
        (" NICAD85/86 ", "NICAD85/86"),
        ("CLBSL", "HLBSL"),
        ("NMB50", "NMB50"),
        ("A B", "A B"),
        ("nicad 85/86", "nicad 85/86"),
        ("", ""),
    ],
)
def test_canonical_symbols(spelled: str, expected: str) -> None:
    """Debentures lose their space and get their slash, renames their present name, others stay."""
    assert canonical(spelled) == expected
    assert canonical(expected) == expected


def test_real_sessions_under_a_former_spelling_are_known() -> None:
    """Two of the 423 files spell a debenture with a space: both carry the fingerprint they had before."""
    folder, found = real_folder(), {}
    for line in manifest(folder):
        content = read_daily((folder / "daily" / line["file"]).read_bytes(), line["file"])
        assert len(content.rejected) == content.doubled == 0
        if content.former_hash:
            found[line["file"]] = content.former_hash[:8]
    assert found == {"2024_05_07.csv": "f018155f", "2024_05_08.csv": "c93005fc"}
