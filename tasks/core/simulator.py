"""The simulated market as the exchange would publish it: daily files with their oddities, history, truth."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from tasks.core.market_model import START, SimulatedSession, simulate

__all__ = [
    "LAYOUTS",
    "Oddities",
    "SimulatedSession",
    "daily_csv",
    "history_table",
    "simulate",
    "write_market",
]

_HEAD = ("S.No", "Symbol", "Conf.", "Open", "High", "Low", "Close")
_MIDDLE = ("VWAP", "Vol", "Prev. Close")
_TAIL = (
    *("Turnover", "Trans.", "Diff", "Range", "Diff %", "Range %", "VWAP %"),
    *("120 Days", "180 Days", "52 Weeks High", "52 Weeks Low"),
)
LAYOUTS: dict[int, tuple[str, ...]] = {
    21: (*_HEAD, *_MIDDLE, *_TAIL),
    22: (*_HEAD, *_MIDDLE, "LTP", *_TAIL),
    24: (*_HEAD, "LTP", "Close - LTP", "Close - LTP %", *_MIDDLE, *_TAIL),
}
"""Column names by number of columns, as they followed one another; without `S.No` each has one less."""


@dataclass(frozen=True)
class Oddities:
    """Which oddities of the real files to write; each is a share between 0 and 1."""

    stale: float = 1.0
    """Closed days on which a file appears all the same, holding the last session's rows."""
    recomputed: float = 0.35
    """Stale files that differ from the original in the site's own column `Conf.`"""
    doubled: float = 0.02
    """Files in which every row stands twice."""
    zero_prices: float = 0.001
    """Rows whose low is written as 0."""
    bad_closes: float = 0.0005
    """Rows whose close is written as 0: unusable."""

    @classmethod
    def none(cls) -> "Oddities":
        """Clean files only."""
        return cls(stale=0.0, doubled=0.0, zero_prices=0.0, bad_closes=0.0)


def daily_csv(
    session: SimulatedSession, layout: int = 24, *, conf_seed: int = 0, numbered: bool = True
) -> bytes:
    """Write a session as the exchange's daily file: commas for thousands, `-` for what is missing.

    Args:
        session: What was traded.
        layout: Number of columns, a key of `LAYOUTS`.
        conf_seed: Seed of the column `Conf.`, which the site recomputes.
        numbered: With the column `S.No`.
    """
    columns = _columns(session, conf_seed)
    names = [name for name in LAYOUTS[layout] if numbered or name != "S.No"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*(columns[name] for name in names), strict=True))
    return buffer.getvalue().encode("ascii")


def _columns(session: SimulatedSession, conf_seed: int) -> dict[str, list[str]]:
    """All columns of any layout, as text."""
    rows, past = session.rows, session.averages()
    conf = np.random.default_rng(conf_seed).uniform(30, 70, len(rows))
    close, low = rows["close"].where(rows["close"] > 0), rows["low"].where(rows["low"] > 0)
    numbers = {
        "Conf.": pd.Series(conf).where(rows["volume"] % 7 == 0),  # six in seven have none
        "Open": rows["open"],
        "High": rows["high"],
        "Low": rows["low"],
        "Close": rows["close"],
        "LTP": rows["ltp"],
        "Close - LTP": rows["close"] - rows["ltp"],
        "Close - LTP %": 100 * (rows["close"] / rows["ltp"] - 1),
        "VWAP": rows["vwap"],
        "Vol": rows["volume"],
        "Prev. Close": rows["prev_close"],
        "Turnover": rows["turnover"],
        "Diff": rows["close"] - rows["prev_close"],
        "Range": rows["high"] - rows["low"],
        "Diff %": 100 * (rows["close"] / rows["prev_close"] - 1),
        "Range %": 100 * (rows["high"] / low - 1),
        "VWAP %": 100 * (1 - rows["vwap"] / close),
        "120 Days": past["mean_120"],
        "180 Days": past["mean_180"],
        "52 Weeks High": past["high_52"],
        "52 Weeks Low": past["low_52"],
    }
    text = {name: [_written(value) for value in values.tolist()] for name, values in numbers.items()}
    counts = [f"{trades:,}" for trades in rows["trades"]]
    numbering = [str(line) for line in range(1, len(rows) + 1)]
    return {"S.No": numbering, "Symbol": rows["symbol"].tolist(), "Trans.": counts, **text}


def _written(value: float) -> str:
    """A number as the exchange writes it."""
    return "-" if math.isnan(value) else f"{value:,.2f}".replace("-0.00", "0.00")


def history_table(sessions: Sequence[SimulatedSession]) -> pd.DataFrame:
    """Lay sessions out as the tidy history: one row a symbol and session, LTP unknown as in history."""
    frame = pd.concat([session.rows.assign(date=session.date) for session in sessions], ignore_index=True)
    head = ["symbol", "date", "open", "high", "low", "close", "volume", "turnover", "prev_close"]
    return frame.assign(ltp=np.nan, source="simulator")[[*head, "trades", "vwap", "ltp", "source"]]


def write_market(  # noqa: PLR0913  (plain figures, all with a default)
    *,
    sessions: int = 760,
    symbols: int = 300,
    seed: int = 0,
    start: date = START,
    daily: int = 30,
    oddities: Oddities | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Write a whole market: `history.parquet`, then daily files of the last sessions, then `manifest.csv`.

    The manifest is the truth about each daily file: file, file_date, data_date (the session it really
    holds), repeats_previous_session, byte_identical_to_previous, rows (lines in the file), columns, doubled.

    Args:
        sessions: Sessions in all.
        symbols: Instruments, see `simulate`.
        seed: Seed of the market and of the oddities.
        start: First day.
        daily: Sessions that come as daily files, fewer than `sessions`; the earlier ones are history.
        oddities: What to put into the daily files; the defaults of `Oddities` without it.

    Yields:
        (name relative to the market's folder, content).
    """
    market = list(simulate(sessions, symbols, seed, start))
    history, live = market[: sessions - daily], market[sessions - daily :]
    if history:
        buffer = io.BytesIO()
        history_table(history).to_parquet(buffer, index=False)
        yield "history.parquet", buffer.getvalue()
    truth: list[dict[str, object]] = []
    for record, data in _daily_files(live, oddities or Oddities(), np.random.default_rng([seed, 1])):
        truth.append(record)
        yield f"daily/{record['file']}", data
    yield "manifest.csv", pd.DataFrame(truth).to_csv(index=False, lineterminator="\n").encode()


def _daily_files(
    sessions: Sequence[SimulatedSession], odd: Oddities, rng: np.random.Generator
) -> Iterator[tuple[dict[str, object], bytes]]:
    """Daily files in order of their dates, with the truth about each."""
    for number, session in enumerate(sessions):
        after = sessions[number + 1].date if number + 1 < len(sessions) else session.date + timedelta(days=1)
        write = _writer(
            _spoiled(session, odd, rng), _layout(number, len(sessions)), rng.random() < odd.doubled
        )
        data = write(conf := int(rng.integers(1, 2**31)))
        yield _truth(session, session.date, data, data), data
        for ahead in range(1, (after - session.date).days):
            if rng.random() < odd.stale:
                before = data
                conf = int(rng.integers(1, 2**31)) if rng.random() < odd.recomputed else conf
                data = write(conf)
                yield _truth(session, session.date + timedelta(days=ahead), data, before), data


def _writer(session: SimulatedSession, layout: int, doubled: bool) -> Callable[[int], bytes]:
    """A function from the seed of `Conf.` to the bytes of a file."""

    def write(conf_seed: int) -> bytes:
        header, *lines = daily_csv(session, layout, conf_seed=conf_seed).splitlines(keepends=True)
        return b"".join([header, *(line for line in lines for _ in range(1 + doubled))])

    return write


def _truth(session: SimulatedSession, file_day: date, data: bytes, before: bytes) -> dict[str, object]:
    """One line of the manifest."""
    lines = data.count(b"\n") - 1
    stale = file_day != session.date
    return {
        "file": f"{file_day:%Y_%m_%d}.csv",
        "file_date": file_day,
        "data_date": session.date,
        "repeats_previous_session": stale,
        "byte_identical_to_previous": stale and data == before,
        "rows": lines,
        "columns": data.split(b"\n", 1)[0].count(b",") + 1,
        "doubled": lines > len(session.rows),
    }


def _layout(number: int, files: int) -> int:
    """The layouts follow one another as they did: 21 columns for half of the files, 22 for two, then 24."""
    half = files // 2
    return 21 if number < half else 22 if number < half + 2 else 24


def _spoiled(session: SimulatedSession, odd: Oddities, rng: np.random.Generator) -> SimulatedSession:
    """Write zeros where a share of the rows has a price, as the site does at times."""
    rows = session.rows.copy()
    rows.loc[rng.random(len(rows)) < odd.zero_prices, "low"] = 0.0
    rows.loc[rng.random(len(rows)) < odd.bad_closes, "close"] = 0.0
    return SimulatedSession(session.date, rows, session.past)
