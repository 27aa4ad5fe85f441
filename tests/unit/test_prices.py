"""Reading prices: layouts, every kind of bad row, and the exchange's real files where they are at hand."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.store import to_parquet
from tasks.core.layout import TIDY, NotAPriceFileError, number
from tasks.core.prices import (
    content_hash,
    file_date,
    read_daily,
    read_prices,
    session_from_parquet,
    session_to_parquet,
)
from tests.realdata import manifest, real_folder

HEADER = "S.No,Symbol,Conf.,Open,High,Low,Close,VWAP,Vol,Prev. Close,LTP,Turnover,Trans."
GOOD = '1,NICAD 85/86,-,"1,060.00","1,060.00",0.00,"1,039.38",-,"2,092.00","1,060.10",-,"2,190,639.50",41'


def _file(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def _row(symbol: str = "ABC", close: str = "10.00", volume: str = "5", turnover: str = "50") -> str:
    return f"1,{symbol},-,10,10,10,{close},10,{volume},10,10,{turnover},1"


def test_values_are_read_by_column_name() -> None:
    """Commas, placeholders and zero prices become numbers and missing values in the right columns."""
    [row] = read_daily(_file(GOOD), "a.csv").rows.to_dict("records")
    assert tuple(row) == TIDY
    assert (row["symbol"], row["close"], row["turnover"], row["trades"]) == (
        "NICAD85/86",
        1039.38,
        2190639.5,
        41,
    )
    assert all(pd.isna(row[name]) for name in ("low", "vwap", "ltp"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_row(close="-"), "missing_close"),
        (_row(close="0.00"), "close_not_positive"),
        (_row(close="-1.00"), "close_not_positive"),
        (_row(close="1e999"), "infinite_close"),
        (_row(close="ten"), "unreadable_close"),
        (_row(close="nan"), "unreadable_close"),
        (_row(volume="-"), "bad_volume"),
        (_row(volume="-3"), "bad_volume"),
        (_row(turnover="-3"), "bad_turnover"),
        (_row(symbol=""), "empty_symbol"),
        (_row(symbol="NEPSE"), "reserved_symbol"),
        (_row(symbol="A\u200b"), "unusable_symbol"),
        (_row(symbol="A" * 65), "unusable_symbol"),
        (_row() + ",7", "wrong_number_of_fields"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(row: str, reason: str) -> None:
    """A bad row goes, with a code that says why; the good row beside it stays."""
    found = read_daily(_file(row, GOOD), "a.csv")
    assert found.rows["symbol"].tolist() == ["NICAD85/86"]
    assert found.rejected[["line", "reason"]].to_numpy().tolist() == [[2, reason]]


def test_doubled_rows_go_and_contradicting_rows_are_rejected() -> None:
    """The same row twice counts once; two different rows of a symbol are both unusable."""
    found = read_daily(_file(GOOD, GOOD, _row(close="10"), _row(close="11")), "a.csv")
    assert (len(found.rows), found.doubled) == (1, 1)
    assert found.rejected["reason"].tolist() == ["conflicting_rows"] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>404</body></html>",
        b"\xff\xfe\x00",
        b"a,b\n1,2\n",
        HEADER.encode(),
        b'Symbol,"Clo\n',
    ],
)
def test_what_is_no_price_file_is_refused(data: bytes) -> None:
    """Anything else is refused whole, in a sentence that says what was expected."""
    with pytest.raises(NotAPriceFileError, match=r"x: expected a daily price file"):
        read_daily(data, "x")


@given(st.floats(0, 1e12).map(lambda value: round(value, 2)))
def test_numbers_survive_the_exchange_notation(value: float) -> None:
    """Whatever is written with thousands commas is read back as the same number."""
    assert number(f"{value:,.2f}") == value
    assert number(f"-{value:,.2f}") == -value


@given(st.text(max_size=12))
def test_number_never_raises(text: str) -> None:
    """Garbage is not a number, but never an error."""
    assert number(text) is None or isinstance(number(text), float)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No input makes the reader fail in any other way than its own error."""
    try:
        found = read_daily(HEADER.encode() + b"\n" + data, "x")
    except NotAPriceFileError:
        return
    assert tuple(found.rows.columns) == TIDY


def test_hash_ignores_order_and_recomputed_columns() -> None:
    """The fingerprint follows symbol, close, volume and turnover, nothing else."""
    rows = read_daily(_file(GOOD, _row()), "a").rows
    same = rows.iloc[::-1].assign(open=1.0, ltp=2.0)
    assert content_hash(same) == content_hash(rows)
    assert content_hash(rows.assign(close=rows["close"] + 0.01)) != content_hash(rows)


def test_file_dates() -> None:
    """All three ways of naming a file are understood; no date is None, not a guess."""
    expected = date(2024, 3, 4)
    names = ["2024_03_04.csv", "a/2024-03-04.csv", "03_04_2024.csv", "https://h/2024_03_04.csv"]
    assert [file_date(name) for name in names] == [expected] * 4
    assert [file_date(name) for name in ("history.parquet", "2024_13_04.csv", "12024_03_045.csv")] == [
        None
    ] * 3


def test_a_table_is_cut_into_sessions() -> None:
    """Sessions come oldest first, checked like daily files, with rejects and doubles counted per session."""
    columns = ["date", "symbol", "open", "high", "low", "close", "volume", "turnover"]
    rows = [
        [date(2024, 1, 2), "B", 1, 1, 1, 1, 1, 1],
        [date(2024, 1, 1), "B", 0, 1, 1, 0, 1, 1],
        [date(2024, 1, 2), "A", 0, 1, 1, 2, 1, 1],
        [date(2024, 1, 2), "A", 0, 1, 1, 2, 1, 1],
        [date(2024, 1, 3), "A", 1, 1, 1, 2, 1, 1],
        [date(2024, 1, 3), "A", 1, 1, 1, 3, 1, 1],
    ]
    found = dict(read_prices(to_parquet(pd.DataFrame(rows, columns=columns)), "table.parquet"))
    assert list(found) == [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)]
    assert found[date(2024, 1, 1)].rejected["reason"].tolist() == ["close_not_positive"]
    assert found[date(2024, 1, 2)].rows["symbol"].tolist() == ["A", "B"]
    assert found[date(2024, 1, 2)].doubled == 1
    assert found[date(2024, 1, 2)].rows["open"].isna().tolist() == [True, False]
    assert found[date(2024, 1, 3)].rejected["reason"].tolist() == ["conflicting_rows"] * 2


def test_tables_that_are_none_are_refused() -> None:
    """Neither other bytes nor a table without prices passes for a history."""
    with pytest.raises(NotAPriceFileError, match="not parquet"):
        list(read_prices(b"PAR1 and no more", "x"))
    columns = ["date", "symbol", "open", "high", "low", "volume", "turnover"]
    with pytest.raises(NotAPriceFileError, match="its header names date, symbol, open, high, low, volume"):
        list(read_prices(to_parquet(pd.DataFrame(columns=columns)), "x"))


def test_a_stored_session_comes_back_unchanged() -> None:
    """Parquet and back gives the same frame, types included."""
    rows = read_daily(_file(GOOD, _row()), "a").rows
    pd.testing.assert_frame_equal(session_from_parquet(session_to_parquet(rows), "x"), rows)
    with pytest.raises(NotAPriceFileError, match="stored session"):
        session_from_parquet(b"no", "x")


def test_real_files_repeats_are_found() -> None:
    """Over all real files, equal fingerprints of neighbours are exactly the repeats of the manifest."""
    folder = real_folder()
    before, wrong = "", []
    for line in manifest(folder):
        found = read_daily((folder / "daily" / line["file"]).read_bytes(), line["file"])
        assert len(found.rows) + len(found.rejected) + found.doubled == int(line["rows"])
        fingerprint = content_hash(found.rows)
        if (fingerprint == before) != (line["repeats_previous_session"] == "True"):
            wrong.append(line["file"])
        before = fingerprint
    assert wrong == []
