"""The declared price frame: every rule, its code on both reading paths, and what is kept of rejected rows."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.config import config_context
from pandera.errors import SchemaErrors

from tasks.core.assembling import CONFLICT, assemble
from tasks.core.frame_schema import READABLE, RULES, WHOLE, broken_rules
from tasks.core.layout import REJECTED, TABLE, TIDY, DailyFile, NoUsableRowError, counts, quarantine_frame
from tasks.core.prices import content_hash, read_daily, read_prices
from tasks.core.raw import from_frame

Cells = Mapping[str, object]
NAMES = ("Symbol", "Open", "High", "Low", "Close", "Vol", "Turnover", "Prev. Close", "VWAP", "Trans.", "LTP")
"""The exchange's names, in the order of TIDY."""
SOUND: Cells = {
    "symbol": "ABC",
    "open": 10.0,
    "high": 12.0,
    "low": 9.0,
    "close": 11.0,
    "volume": 5.0,
    "turnover": 55.0,
    "prev_close": 10.0,
    "vwap": 11.0,
    "trades": 2.0,
    "ltp": 11.0,
}
BREAKS: dict[str, Cells] = {
    "wrong_number_of_fields": {WHOLE: False},
    **{f"unreadable_{name}": {f"{name}_readable": False} for name in ("close", "volume", "turnover")},
    "empty_symbol": {"symbol": ""},
    "unusable_symbol": {"symbol": "A" * 65},
    "reserved_symbol": {"symbol": "NEPSE"},
    "missing_close": {"close": np.nan},
    "infinite_close": {"close": -np.inf},
    "close_not_positive": {"close": 0.0},
    "bad_volume": {"volume": np.inf},
    "bad_turnover": {"turnover": -1.0},
    **{f"{name}_not_positive": {name: -1.0} for name in ("open", "high", "low", "prev_close", "vwap", "ltp")},
    "trades_no_count": {"trades": 1.5},
    "high_below_low": {"open": np.nan, "high": 10.5, "low": 11.0},
    "open_outside_range": {"open": 8.0},
    "close_outside_range": {"close": 12.5},
    "turnover_without_volume": {"volume": 0.0},
}
"""What breaks each rule in a sound row."""


def _frame(*rows: Cells) -> pd.DataFrame:
    """Rows in the form that the schema checks."""
    flags = dict.fromkeys((WHOLE, *READABLE), True)
    return pd.DataFrame([{**SOUND, **flags, **row} for row in rows])


def _csv(*rows: Cells, dated: bool = False) -> bytes:
    """Rows as a CSV: a daily file, or with dates a history table."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["date", *TIDY] if dated else NAMES)
    for row in rows:
        cells = [{**SOUND, **row}[name] for name in TIDY]
        writer.writerow(["2024-03-05", *cells] if dated else cells)
    return buffer.getvalue().encode()


def _table(*rows: Cells) -> DailyFile:
    """Rows read as a history table of one session."""
    frame = pd.DataFrame([{"date": date(2024, 3, 5), **SOUND, **row} for row in rows])
    [(_, found)] = assemble(from_frame(frame, "table"), TABLE, frame["date"].to_numpy())
    return found


def test_every_rule_has_a_case() -> None:
    """Codes are unique, and each is broken by a case below."""
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert set(BREAKS) == set(codes)


@pytest.mark.parametrize("code", BREAKS)
def test_each_rule_finds_the_row_that_breaks_it(code: str) -> None:
    """The broken row is found among sound ones, by that rule."""
    broken = broken_rules(_frame({}, BREAKS[code], {"symbol": "B"}))
    assert broken[code].tolist() == [False, True, False]


def test_what_is_missing_breaks_no_rule_but_those_of_close_and_volume() -> None:
    """Everything that may be missing, missing."""
    missing = dict.fromkeys(set(TIDY) - {"symbol", "close", "volume"}, np.nan)
    assert broken_rules(_frame(missing)) == {}


def test_another_frame_is_a_fault() -> None:
    """A column of another type, or one too few, is not taken for a bad row."""
    with pytest.raises(SchemaErrors):
        broken_rules(_frame({}).astype({"open": "int64"}))
    with pytest.raises(SchemaErrors):
        broken_rules(_frame({}).drop(columns="vwap"))


def test_the_environment_does_not_switch_the_rules_off() -> None:
    """Pandera can be told to check nothing; bad prices are found all the same."""
    with config_context(validation_enabled=False):
        assert list(broken_rules(_frame({"close": 0.0}))) == ["close_not_positive"]


def test_pandera_is_imported_by_those_who_check() -> None:
    """Reading stored sessions, which every flow does, does not wait for it."""
    code = "import sys, tasks.core.prices, tasks.core.adjustments; sys.exit('pandera' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


symbols = st.sampled_from(["ABC", "NICAD 85/86", "NICAD85/86", "CLBSL", "NEPSE", ""])
figures = st.sampled_from([np.nan, -1.0, 0.0, 7.5, 11.0])
rows_of_any_kind = st.lists(
    st.fixed_dictionaries({"symbol": symbols, **dict.fromkeys(TIDY[1:], figures)}), min_size=1, max_size=6
)


@given(rows_of_any_kind)
@settings(deadline=None, max_examples=60)
def test_the_paths_agree(rows: list[Cells]) -> None:
    """A daily file, a table and a table in CSV give the same rows, reasons and counts for the same cells."""
    text = [{name: "-" if cell != cell else cell for name, cell in row.items()} for row in rows]  # noqa: PLR0124
    table = _table(*rows)
    try:
        daily = read_daily(_csv(*text), "x")
    except NoUsableRowError as nothing:
        daily = nothing.content
    [(day, dated)] = read_prices(_csv(*text, dated=True), "x")
    assert day == date(2024, 3, 5)
    for found in (daily, dated):
        pd.testing.assert_frame_equal(found.rows, table.rows)
        assert found.rejected[["symbol", "reason", "reasons"]].equals(
            table.rejected[["symbol", "reason", "reasons"]]
        )
        assert (found.doubled, found.doubtful, found.former_hash) == (
            table.doubled,
            table.doubtful,
            table.former_hash,
        )
    assert len(table.rows) + len(table.rejected) + table.doubled == len(rows)
    assert table.rows["symbol"].is_unique


@given(rows_of_any_kind)
@settings(deadline=None, max_examples=60)
def test_accepted_rows_pass_again(rows: list[Cells]) -> None:
    """What a reader hands out breaks no rule that rejects, and no price of it is 0."""
    found = _table(*rows).rows
    flags = dict.fromkeys((WHOLE, *READABLE), True)
    broken = broken_rules(found.astype({"trades": "float64"}).assign(**flags))
    assert {rule.code for rule in RULES if rule.code in broken and not rule.doubt} == set()
    assert not any(code.endswith("_not_positive") for code in broken)


def test_rejected_rows_keep_their_line_codes_and_cells() -> None:
    """All codes of a row are kept, the first decides, and the cells stand as they were written."""
    found = read_daily(_csv({}, {"symbol": "NICAD 85/86", "close": "0.00", "volume": "-3"}), "a.csv")
    [row] = found.rejected.to_dict("records")
    assert tuple(row) == REJECTED
    assert (row["line"], row["symbol"]) == (3, "NICAD 85/86")
    assert (row["reason"], row["reasons"]) == ("close_not_positive", "close_not_positive bad_volume")
    cells = json.loads(row["cells"])
    assert (tuple(cells), cells["Close"], cells["Vol"]) == (NAMES, "0.00", "-3")


@pytest.mark.parametrize(("line", "more"), [("1,2", {"High": None}), (",".join("123456789abcd"), {})])
def test_a_row_of_the_wrong_length_is_kept_whole(line: str, more: Cells) -> None:
    """Too few fields end in nulls, what is too much stands under its own name; nothing else is blamed."""
    found = read_daily(_csv({}) + line.encode() + b"\n", "a.csv")
    [row] = found.rejected.to_dict("records")
    assert row["reasons"] == "wrong_number_of_fields"
    cells = json.loads(row["cells"])
    assert {name: cells[name] for name in more} == more
    assert ",".join(cell for cell in cells.values() if cell is not None) == line


def test_the_quarantine_frame_and_the_counts() -> None:
    """Rejected rows with their source; counts by the deciding reason add up to them."""
    found = read_daily(
        _csv({}, {"close": "-"}, {"symbol": "B", "close": 1}, {"symbol": "B"}), "s3://in/a.csv"
    )
    frame = quarantine_frame(found)
    assert tuple(frame.columns) == ("source", *REJECTED)
    assert frame["source"].tolist() == ["s3://in/a.csv"] * 3
    assert counts(found) == {CONFLICT: 2, "missing_close": 1}
    again = pd.read_parquet(io.BytesIO(frame.to_parquet(index=False)))
    pd.testing.assert_frame_equal(again, frame)


def test_nothing_rejected_is_an_empty_quarantine() -> None:
    """A clean file has a frame of the same columns and types, and no counts."""
    clean, dirty = read_daily(_csv({}), "a"), read_daily(_csv({}, {"close": "-"}), "a")
    assert quarantine_frame(clean).dtypes.equals(quarantine_frame(dirty).dtypes)
    assert (len(quarantine_frame(clean)), counts(clean), clean.doubtful) == (0, {}, {})


def test_a_file_without_a_usable_row_is_no_session() -> None:
    """It is refused in a sentence that says why, with the rows at hand; a table's day comes without rows."""
    with pytest.raises(
        NoUsableRowError, match=r"a\.csv: none of its 2 rows.*1 bad_volume, 1 missing_close"
    ) as e:
        read_daily(_csv({"close": "-"}, {"symbol": "B", "volume": "-"}), "a.csv")
    assert len(quarantine_frame(e.value.content)) == 2
    empty = _table({"close": np.nan})
    assert (len(empty.rows), tuple(empty.rows.columns), counts(empty)) == (0, TIDY, {"missing_close": 1})


def test_doubtful_rows_stay_and_are_counted() -> None:
    """Oddities 17 to 19: prices outside the range, a high below the low, a low of 0."""
    rows = (
        {"open": 8},
        {"symbol": "B", "high": 8.5},
        {"symbol": "C", "low": 0},
        {"symbol": "D", "close": "-"},
    )
    found = read_daily(_csv(*rows), "a")
    assert found.rows["symbol"].tolist() == ["ABC", "B", "C"]
    assert dict(found.doubtful) == {
        "low_not_positive": 1,
        "high_below_low": 1,
        "open_outside_range": 2,
        "close_outside_range": 1,
    }


def test_one_instrument_has_one_spelling() -> None:
    """Spellings of one debenture are one row; the former fingerprint is that of the file's spelling."""
    spelled, ours = _csv({"symbol": "NICAD 85/86"}), _csv({"symbol": "NICAD85/86"})
    found = read_daily(spelled, "a")
    assert found.rows.equals(read_daily(ours, "a").rows)
    assert found.former_hash == content_hash(found.rows.assign(symbol="NICAD 85/86"))
    assert read_daily(ours, "a").former_hash is None
    assert read_daily(_csv({"symbol": "NICAD 85/86"}, {"symbol": "NICAD85/86"}), "a").doubled == 1
    other = read_daily(_csv({}, {"symbol": "CLBSL"}, {"symbol": "HLBSL", "close": 12}), "a")
    assert other.rejected[["symbol", "reason"]].to_numpy().tolist() == [
        ["CLBSL", CONFLICT],
        ["HLBSL", CONFLICT],
    ]
