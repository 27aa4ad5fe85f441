"""Raw rows become sessions: read, checked against the schema, doubles dropped, contradictions put aside."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.fingerprint import content_hash
from tasks.core.frame_schema import NEEDED, READABLE, RULES, WHOLE, Flags, broken_rules
from tasks.core.layout import REJECTED, TIDY, DailyFile, Layout
from tasks.core.raw import Names, Raw, numbers
from tasks.core.symbols import canonical
from tasks.core.tidy import by_day, tidy

CONFLICT = "conflicting_rows"
"""Reason of rows of one symbol that contradict each other: none of them can be believed."""
_DOUBTS = frozenset(rule.code for rule in RULES if rule.doubt)
_NEUTRAL = 1.0
"""Stands for what can't be read, so that a row is not blamed twice for one cell."""


def assemble(raw: Raw, layout: Layout, days: npt.NDArray[Any]) -> Iterator[tuple[date, DailyFile]]:
    """Check rows and cut them into sessions, oldest first.

    Args:
        raw: The rows.
        layout: One whose needed columns they have.
        days: The date of each row.
    """
    table = _values(raw, layout).assign(date=days)
    broken = broken_rules(_checked(table))
    codes = {code: flags for code, flags in broken.items() if code not in _DOUBTS}
    refused = np.logical_or.reduce([np.zeros(len(table), dtype=np.bool_), *codes.values()])
    doubled, codes[CONFLICT] = _repeated(table, ~refused)
    good = table[~(refused | doubled | codes[CONFLICT])]
    bad = dict(by_day(_left_out(raw, table, codes)))
    kept, former = dict(by_day(tidy(good))), _former_hashes(good)
    twice = _by_day(days[doubled])
    doubts = {
        code: _by_day(good["date"][flags[good.index]]) for code, flags in broken.items() if code in _DOUBTS
    }
    no_rows, none_bad = tidy(table[:0].drop(columns="date")), _frame(table[:0], [], [], [])
    for day in sorted(set(days.tolist())):
        doubtful = {code: found[day] for code, found in doubts.items() if day in found}
        rows, left_out = kept.get(day, no_rows), bad.get(day, none_bad)
        yield day, DailyFile(raw.source, rows, left_out, twice.get(day, 0), doubtful, former.get(day))


def _values(raw: Raw, layout: Layout) -> pd.DataFrame:
    """Read the cells: TIDY (float64, symbol canonical), `spelled`, `line`, and the schema's flags."""
    named = raw.named(layout)
    lines, columns, flags = raw.table.index, {}, {WHOLE: raw.whole}
    for name in TIDY[1:]:
        given = raw.table[named[name]] if name in named else pd.Series(np.nan, lines)
        columns[name], readable = numbers(given)
        if name in NEEDED:
            flags[f"{name}_readable"] = readable
    spelled = _spelled(raw, named)
    symbols = spelled.map({symbol: canonical(symbol) for symbol in spelled.unique()})
    texts = {"symbol": symbols.astype("str"), "spelled": spelled, "line": lines.to_numpy()}
    return pd.DataFrame({**texts, **columns, **flags})


def _spelled(raw: Raw, named: Names) -> "pd.Series[str]":
    """Symbols as the file has them: in a column, or as its name."""
    if "symbol" not in named:
        stem = PurePosixPath(raw.source.split("?")[0]).stem
        return pd.Series([stem] * len(raw.table), dtype="str")
    given = raw.table[named["symbol"]].reset_index(drop=True)
    return given.astype(object).where(given.notna(), "").astype("str").str.strip()


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """Lay rows out for the schema; what could not be read is blamed once, by its flag."""
    checked = table[["symbol", *TIDY[1:], WHOLE, *READABLE]].copy()
    for name in NEEDED:
        checked[name] = checked[name].where(table[f"{name}_readable"], _NEUTRAL)
    if not table[WHOLE].all():  # the cells of such a row may be any column's
        checked.loc[~table[WHOLE], "symbol"] = "?"
        checked.loc[~table[WHOLE], list(TIDY[1:])] = _NEUTRAL
        checked.loc[~table[WHOLE], list(READABLE)] = True
    return checked


def _repeated(table: pd.DataFrame, usable: Flags) -> tuple[Flags, Flags]:
    """Find rows that repeat an earlier one, and rows of symbols whose rows contradict each other."""
    doubled, conflicts = np.zeros(len(table), dtype=np.bool_), np.zeros(len(table), dtype=np.bool_)
    rows = table[usable]
    rows = rows[rows.duplicated(["date", "symbol"], keep=False)]
    if rows.empty:
        return doubled, conflicts
    same = rows.duplicated(["date", *TIDY])
    different = (~same).groupby([rows["date"], rows["symbol"]]).transform("sum") > 1
    conflicts[rows.index[different]] = True
    doubled[rows.index[same & ~different]] = True
    return doubled, conflicts


def _left_out(raw: Raw, table: pd.DataFrame, codes: dict[str, Flags]) -> pd.DataFrame:
    """The rejected rows with `date`, in order of date and line."""
    flags = np.stack(list(codes.values()), axis=1)
    places = np.flatnonzero(flags.any(axis=1))
    names = [
        [code for code, broken in zip(codes, row, strict=True) if broken] for row in flags[places].tolist()
    ]
    frame = _frame(table.iloc[places], [n[0] for n in names], [" ".join(n) for n in names], raw.cells(places))
    frame.insert(0, "date", table["date"].iloc[places].to_numpy())
    return frame.sort_values(["date", "line"], ignore_index=True)


def _frame(rows: pd.DataFrame, reason: list[str], reasons: list[str], cells: list[str]) -> pd.DataFrame:
    """Build a frame of rejected rows (`REJECTED`)."""
    columns = (rows["line"].to_numpy(), rows["spelled"].to_numpy(), reason, reasons, cells)
    frame = pd.DataFrame(dict(zip(REJECTED, columns, strict=True)))
    return frame.astype({"line": "int64", **dict.fromkeys(REJECTED[1:], "str")})


def _former_hashes(good: pd.DataFrame) -> dict[date, str]:
    """Fingerprints under the file's own spelling, of the days on which it is not ours."""
    affected = good["date"][(good["spelled"] != good["symbol"]).to_numpy()]
    rows = good[good["date"].isin(affected)]
    spelled = by_day(rows.assign(symbol=rows["spelled"]).sort_values("date"))
    return {day: content_hash(of) for day, of in spelled}


def _by_day(days: Any) -> dict[date, int]:
    """Count by day."""
    return dict(Counter(days.tolist()))
