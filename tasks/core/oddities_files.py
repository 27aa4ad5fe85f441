"""Oddities of daily files: which of them there are, what each holds, and how it is encoded."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tasks.core.calendar import by_rules
from tasks.core.daily_files import File, Published
from tasks.core.market_model import SimulatedSession
from tasks.core.oddities import Oddities, generator, picked

Spoiling = Callable[[list[Published], float, np.random.Generator], list[Published]]

FRESH, LEFT_OVER = 2, 11
"""New rows of a partial file, and those of the session before: as in the exchange's."""
_LEAST = 20
"""Rows that a session needs to have a partial file."""


def misdated(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Take away sessions' own files where the next one is of a weekend (3): their first date is that one."""
    able = [_late(one) and not by_rules().trading_day(one.files[1].named) for one in sessions]
    chosen = picked(rng, np.array(able), share)
    return [_late_first(one, ()) if pick else one for one, pick in zip(sessions, chosen, strict=True)]


def partial(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Write files of two rows among eleven of the session before; the day after's has all of them (4)."""
    able = [
        number > 0 and _late(one) and _enough(sessions[number - 1]) and _enough(one)
        for number, one in enumerate(sessions)
    ]
    chosen, out = picked(rng, np.array(able), share), list(sessions)
    for number in np.flatnonzero(chosen):
        one = sessions[number]
        data = _mixture(sessions[number - 1], one, rng)
        file = replace(one.files[0], data=data, kind="partial", complete=False, doubled=False)
        out[number] = _late_first(one, (file,))
    return out


def late_completed(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Write sessions' files before their end; a second one of the same name, in `again/`, has all (4)."""
    chosen, out = picked(rng, np.array([one.plain for one in sessions]), share), list(sessions)
    for number in np.flatnonzero(chosen):
        one, (own, *rest) = sessions[number], sessions[number].files
        style = one.style._replace(doubled=False)
        data = style.write(early(one.session, rng), int(rng.integers(1, 2**31)))
        first = replace(own, data=data, kind="early", complete=False, doubled=False)
        out[number] = replace(one, files=(first, replace(own, name=f"again/{own.name}", kind="late"), *rest))
    return out


def missing(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Take away all files of sessions (28); the history has them."""
    able = np.array([one.plain for one in sessions])
    able[[0, -1]] = False
    chosen = picked(rng, able, share)
    return [replace(one, files=()) if pick else one for one, pick in zip(sessions, chosen, strict=True)]


def appended(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Write the whole list of a file once more after itself (5)."""

    def twice(file: File) -> File:
        body = file.data.split(b"\n", 1)[1]
        return replace(file, data=file.data + body, doubled=True)

    return _of_some(sessions, share, rng, twice)


def zero_averages(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Write 0.00 for averages over too short a history (9)."""
    chosen, out = picked(rng, np.ones(len(sessions), dtype=bool), share), list(sessions)
    for number in np.flatnonzero(chosen):
        one = sessions[number]
        data = one.style._replace(zero_averages=True).write(one.session, int(rng.integers(1, 2**31)))
        files = [replace(file, data=data) if file.complete else file for file in one.files]
        out[number] = replace(one, files=tuple(files))
    return out


def crlf(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """End lines with carriage return and line feed (12)."""
    return _of_some(sessions, share, rng, lambda file: replace(file, data=file.data.replace(b"\n", b"\r\n")))


def byte_order_mark(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Begin files with a byte order mark (12)."""
    return _of_some(sessions, share, rng, lambda file: replace(file, data=b"\xef\xbb\xbf" + file.data))


def unnumbered(sessions: list[Published], share: float, rng: np.random.Generator) -> list[Published]:
    """Leave out the column S.No and name files month first, as another vendor does (6)."""

    def other(file: File) -> File:
        lines = [line.split(b",", 1)[1] for line in file.data.splitlines(keepends=True)]
        folder = file.name.rpartition("/")[0]
        name = f"{folder}/{file.named:%m_%d_%Y}.csv".lstrip("/")
        return replace(file, data=b"".join(lines), name=name)

    return _of_some(sessions, share, rng, other)


FILES: dict[str, Spoiling] = {
    "missing": missing,
    "misdated": misdated,
    "zero_averages": zero_averages,
    "partial": partial,
    "late_completed": late_completed,
    "appended": appended,
    "unnumbered": unnumbered,
    "crlf": crlf,
    "byte_order_mark": byte_order_mark,
}
"""The changes in the order in which they are made."""


def respoiled(files: Sequence[Published], odd: Oddities, seed: int) -> list[Published]:
    """Make those changes that are switched on."""
    out = list(files)
    for name, change in FILES.items():
        if odd[name] and out:
            out = change(out, odd[name], generator(seed, name))
    return out


def early(session: SimulatedSession, rng: np.random.Generator) -> SimulatedSession:
    """Show a session while it runs: a part of the trade, prices on their way, nine symbols of ten."""
    keep = rng.random(len(session.rows)) < 0.9  # noqa: PLR2004
    keep[:FRESH] = True
    rows = session.rows[keep].reset_index(drop=True)
    part = rng.uniform(0.2, 0.7, len(rows))
    last = (rows["open"] + (rows["close"] - rows["open"]) * part).round(2)
    volume = np.minimum(np.maximum((rows["volume"] * part).round(), 1.0), rows["volume"])
    counts = np.maximum((rows["trades"].astype("float64") * part).round(), 1.0).astype("int64")
    rows = rows.assign(close=last, ltp=last, vwap=last, volume=volume, turnover=(volume * last).round(2))
    high, low = np.maximum(rows["open"], last), np.minimum(rows["open"], last)
    rows = rows.assign(high=high, low=low, trades=counts)
    return SimulatedSession(session.date, rows, session.past[:, keep])


def _mixture(before: Published, one: Published, rng: np.random.Generator) -> bytes:
    """A file of a few early rows of a session among the session's before."""
    style = one.style._replace(doubled=False)
    conf = int(rng.integers(1, 2**31))
    header, *fresh = style.write(early(one.session, rng), conf).splitlines(keepends=True)
    _, *old = style.write(before.session, conf).splitlines(keepends=True)
    places = _telling(one.session.rows, [_symbol(line) for line in fresh])
    fresh = [fresh[place] for place in places]
    taken = {_symbol(line) for line in fresh}
    return b"".join([header, *[line for line in old if _symbol(line) not in taken][:LEFT_OVER], *fresh])


def _telling(rows: pd.DataFrame, symbols: list[str]) -> list[int]:
    """Places of the rows to be taken: those that moved, so that they are no row of another session."""
    moved = rows[(rows["close"] != rows["prev_close"]) & (rows["open"] != rows["prev_close"])]
    moving = set(moved["symbol"]) & set(rows.loc[rows["close"] > 0, "symbol"])
    return [place for place, symbol in enumerate(symbols) if symbol in moving][:FRESH]


def _symbol(line: bytes) -> str:
    return line.split(b",", 2)[1].decode()


def _late_first(one: Published, own: tuple[File, ...]) -> Published:
    """Let the file of the day after be the first that has all rows."""
    return replace(one, files=(*own, replace(one.files[1], kind="misdated"), *one.files[2:]))


def _late(one: Published) -> bool:
    """Tell whether a session can do without its own file: another is there, and the calendar knows it."""
    return one.plain and len(one.files) > 1 and by_rules().trading_day(one.session.date)


def _enough(one: Published) -> bool:
    return bool(one.files) and len(one.session.rows) >= _LEAST


def _of_some(
    sessions: list[Published], share: float, rng: np.random.Generator, change: Callable[[File], File]
) -> list[Published]:
    """Change a share of all files."""
    chosen = iter(picked(rng, np.ones(sum(len(one.files) for one in sessions), dtype=bool), share))
    return [
        replace(one, files=tuple(change(file) if next(chosen) else file for file in one.files))
        for one in sessions
    ]
