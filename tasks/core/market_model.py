"""A seeded market that behaves as the exchange does where it matters to forecasts.

A common factor with momentum, sectors, a +-10 % band whose leftover demand carries into the next session,
thin debentures and promoter shares, listings, and bonus issues with an adjusted previous close. The figures
below are chosen to look like the exchange, not fitted to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.core.calendar import Calendar, load_rules
from tasks.core.instruments import KINDS
from tasks.core.tidy import by_day, tidy

Vector = npt.NDArray[np.float64]

START = date(2021, 1, 3)
_YEAR = 230
"""Sessions in a year, about."""
_LETTERS = "ABCDEFGHIKLMNPRSTUV"


@dataclass(frozen=True)
class Instruments:
    """The symbols of a market and what they are like; arrays [n_symbols]."""

    symbols: tuple[str, ...]
    kinds: npt.NDArray[np.str_]
    sector: npt.NDArray[np.int64]
    beta: Vector
    listed: npt.NDArray[np.int64]
    """Session number of the first trade."""
    price: Vector
    tick: Vector

    def of(self, field: str) -> Vector:
        """A figure of each symbol's kind."""
        out = np.zeros(len(self.kinds))
        for name, kind in KINDS.items():
            out[self.kinds == name] = getattr(kind, field)
        return out


@dataclass(frozen=True)
class SimulatedSession:
    """One session: its tidy frame, and the closes up to it for what the exchange's files print beside it."""

    date: date
    rows: pd.DataFrame
    past: npt.NDArray[np.float64]
    """Closes of a year up to this session, [n_sessions, n_rows] (columns as the rows), NaN if untraded."""

    def averages(self) -> pd.DataFrame:
        """mean_120, mean_180 (NaN below half of that history), high_52, low_52; rupees, one row a symbol."""
        out = {"high_52": np.fmax.reduce(self.past), "low_52": np.fmin.reduce(self.past)}
        for sessions in (120, 180):
            known = np.isfinite(self.past[-sessions:])
            count, total = known.sum(axis=0), np.where(known, self.past[-sessions:], 0.0).sum(axis=0)
            out[f"mean_{sessions}"] = np.where(count >= sessions // 2, total / np.maximum(count, 1), np.nan)
        return pd.DataFrame(out)


def simulate(
    sessions: int = 760, symbols: int = 300, seed: int = 0, start: date = START
) -> Iterator[SimulatedSession]:
    """Run a market, session after session; the same arguments give the same market.

    Args:
        sessions: How many sessions, at least 1.
        symbols: How many instruments, those listed later included; at least 8.
        seed: Seed of the only random generator used.
        start: First session, or the first trading day after it. Some 15 days a year are holidays.
    """
    yield from cut(market(sessions, symbols, seed, start))


def market(sessions: int, symbols: int, seed: int, start: date = START) -> pd.DataFrame:
    """Run a market as `simulate` does, into one table by date and symbol: `date`, then the tidy columns."""
    rng = np.random.default_rng(seed)
    instruments = _instruments(rng, symbols, sessions)
    days = session_days(rng, start, sessions)
    frames = [
        frame.assign(date=day) for day, frame in zip(days, _trade(rng, instruments, sessions), strict=True)
    ]
    return tidy(pd.concat(frames, ignore_index=True))


def cut(table: pd.DataFrame) -> Iterator[SimulatedSession]:
    """Cut a market's table, sorted by date and symbol, into its sessions."""
    days, session = np.unique(table["date"].to_numpy(), return_inverse=True)
    symbols, column = np.unique(table["symbol"].to_numpy("object"), return_inverse=True)
    wide = np.full((len(days), len(symbols)), np.nan)
    wide[session, column] = table["close"].where(table["close"] > 0).to_numpy("float64")
    bounds = np.searchsorted(session, np.arange(1, len(days)))
    columns = np.split(column, bounds)
    for number, (day, rows) in enumerate(by_day(table)):
        yield SimulatedSession(day, rows, wide[max(0, number + 1 - _YEAR) : number + 1, columns[number]])


def _trade(rng: np.random.Generator, instruments: Instruments, sessions: int) -> Iterator[pd.DataFrame]:
    """Rows of each session in turn: demand moves prices within the band, its leftover is carried on."""
    demand = _demand(rng, instruments, sessions)
    last, pending = instruments.price.copy(), np.zeros(len(instruments.price))
    for number in range(sessions):
        pending += demand[number]
        traded = (number >= instruments.listed) & (rng.random(len(last)) < instruments.of("trades"))
        traded |= number == instruments.listed
        reference = _bonus(rng, instruments, last, traded & (number > instruments.listed))
        close = _fill(reference, pending, instruments.tick)
        pending = np.where(traded, pending - np.log(close / reference), pending)
        last = np.where(traded, close, last)
        yield _rows(rng, instruments, reference, close, np.abs(demand[number]))[traded]


def session_days(rng: np.random.Generator, start: date, sessions: int) -> list[date]:
    """Trading days from `start` on, less random holidays, 2 to 6 days long at times."""
    closed: set[date] = set()
    for offset in np.flatnonzero(rng.random(sessions * 2) < 0.018).tolist():  # noqa: PLR2004  (15 a year)
        longest = int(rng.integers(2, 7)) if rng.random() < 0.2 else 1  # noqa: PLR2004  (one in five)
        closed |= {start + timedelta(days=offset + 1 + k) for k in range(longest)}
    rules = load_rules()
    calendar = Calendar(rules, closed=closed)
    days = [start if rules.trading_day(start) else calendar.next_session(start)]
    while len(days) < sessions:
        days.append(calendar.next_session(days[-1]))
    return days


def _instruments(rng: np.random.Generator, symbols: int, sessions: int) -> Instruments:
    """Draw the symbols: four kinds, ten sectors, one in eight listed later."""
    kinds = rng.permutation(np.repeat(list(KINDS), [round(k.share * symbols) + 1 for k in KINDS.values()]))
    kinds = np.concatenate([list(KINDS), kinds])[:symbols]
    later = (rng.random(symbols) < 1 / 8) & (np.arange(symbols) >= symbols // 8)
    listed = np.where(later, rng.integers(1, max(2, sessions), symbols), 0)
    spread = np.array([KINDS[kind].spread for kind in kinds])
    price = np.array([KINDS[kind].price for kind in kinds]) * np.exp(spread * rng.standard_normal(symbols))
    beta = np.array([KINDS[kind].beta for kind in kinds]) * rng.uniform(0.6, 1.4, symbols)
    tick = np.where(kinds == "fund", 0.01, 0.1)
    price = np.where(later & (kinds == "equity"), 100.0, np.maximum(np.round(price / tick) * tick, 5 * tick))
    return Instruments(_names(rng, kinds), kinds, rng.integers(0, 10, symbols), beta, listed, price, tick)


def _names(rng: np.random.Generator, kinds: npt.NDArray[np.str_]) -> tuple[str, ...]:
    """Tickers as the exchange has them: debentures with a slash, one of them with a space as well."""
    names: dict[str, None] = {}
    for kind in kinds:
        while True:
            root = "".join(rng.choice(list(_LETTERS), rng.integers(3, 6)))
            year = int(rng.integers(79, 90))
            space = " " if kind == "debenture" and not any(" " in name for name in names) else ""
            name = {"debenture": f"{root}D{space}{year}/{year + 1}", "promoter": f"{root}PO"}.get(kind, root)
            if name not in names and name != "NEPSE":
                names[name] = None
                break
    return tuple(names)


def _demand(rng: np.random.Generator, instruments: Instruments, sessions: int) -> npt.NDArray[np.float64]:
    """What buyers and sellers want each log return to be, [n_sessions, n_symbols]."""
    mood = np.exp(_drift(rng, (sessions, 1), 0.98, 0.08))
    factor = _drift(rng, (sessions, 1), 0.45, 0.012) * mood
    sector = _drift(rng, (sessions, 10), 0.20, 0.007)[:, instruments.sector]
    own = instruments.of("noise") * mood * rng.standard_normal((sessions, len(instruments.symbols)))
    shocked = rng.random(own.shape) < 0.006  # noqa: PLR2004  (news: three in two years a symbol)
    news = np.where(shocked, rng.normal(0.03, 0.14, own.shape), 0.0) * (instruments.beta > 0)
    out: npt.NDArray[np.float64] = instruments.beta * (factor + sector) + own + news
    return out


def _drift(rng: np.random.Generator, shape: tuple[int, int], memory: float, deviation: float) -> Vector:
    """A first-order autoregression per column."""
    out = deviation * rng.standard_normal(shape)
    for number in range(1, shape[0]):
        out[number] += memory * out[number - 1]
    return out


def _bonus(
    rng: np.random.Generator, instruments: Instruments, last: Vector, open_to: npt.NDArray[np.bool_]
) -> Vector:
    """Previous closes, lowered where an equity goes ex bonus (10 to 50 %, about once in three years)."""
    due = (instruments.kinds == "equity") & open_to & (rng.random(len(last)) < 1 / (3 * _YEAR))
    share = np.where(due, rng.choice([0.10, 0.15, 0.20, 0.30, 0.50], len(last)), 0.0)
    out: Vector = np.where(due, np.round(last / (1 + share), 1), last)
    return out


def _fill(reference: Vector, pending: Vector, tick: Vector) -> Vector:
    """The close that demand leads to, in ticks and within the band."""
    lowest = np.maximum(np.ceil(reference * 0.9 / tick - 1e-9), 1)
    highest = np.maximum(np.floor(reference * 1.1 / tick + 1e-9), lowest)
    out: Vector = np.round(np.clip(np.round(reference * np.exp(pending) / tick), lowest, highest) * tick, 2)
    return out


def _rows(
    rng: np.random.Generator, instruments: Instruments, reference: Vector, close: Vector, news: Vector
) -> pd.DataFrame:
    """Everything else of a session around its close, all symbols."""
    size, low_tick = len(close), np.minimum(reference, close)
    opened = np.round(reference + (close - reference) * rng.uniform(-0.1, 0.6, size), 2)
    wide = np.exp(np.abs(rng.normal(0, 0.006, size)))
    high = np.round(np.minimum(np.maximum(opened, close) * wide, np.maximum(reference * 1.1, close)), 2)
    low = np.round(np.maximum(np.minimum(opened, close) / wide, np.minimum(reference * 0.9, low_tick)), 2)
    busy = rng.normal(0, 0.7, size) + 18 * np.minimum(news, 0.12)
    volume = np.maximum(np.round(instruments.of("volume") * np.exp(busy)), 1.0)
    vwap = np.round(low + (high - low) * rng.beta(3, 3, size) * 0.5 + (close - low) * 0.5, 2)
    return pd.DataFrame(
        {
            "symbol": instruments.symbols,
            "open": opened,
            "high": np.maximum(high, close),
            "low": np.minimum(low, close),
            "close": close,
            "volume": volume,
            "turnover": np.round(volume * vwap, 2),
            "prev_close": reference,
            "vwap": vwap,
            "trades": np.maximum(np.ceil(volume / rng.uniform(20, 300, size)), 1.0),
            "ltp": np.round(close * np.exp(rng.normal(0, 0.003, size)), 1),
        }
    )
