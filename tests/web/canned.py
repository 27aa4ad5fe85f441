"""A small market in memory, in place of the queries of the read side: rows as the database gives them."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from infra.database import latest
from infra.database.reads import alerts, intervals, letters, market, models, newest, pipeline, shadows, skill
from infra.database.reads.intervals import Fallen
from infra.database.reads.newest import Cut, Page
from infra.database.reads.pipeline import Commit, Moments
from web import overview
from web.routes import market as market_routes
from web.service import Service

Row = dict[str, Any]
LAST = date(2024, 3, 4)
SESSIONS = 120
SYMBOLS = (
    *("ADBL", "AHPC", "AKPL", "API", "BARUN", "CBBL", "CHCL", "CIT", "EBL", "GBIME", "HDL", "HIDCL", "KBL"),
    *("MEGA", "NABIL", "NBL", "NHPC", "NICA", "NICAD85/86", "NLIC", "NMB", "NRIC", "NTC", "PCBL", "PRVU"),
    *("RHPL", "SANIMA", "SBI", "SBL", "SCB", "SHIVM", "SHL", "SICL", "UPPER", "SJVN", "TRH", "UNL", "UPCL"),
)
WEEKEND = {4, 5}  # Friday and Saturday, as `date.weekday` counts


def sessions(last: date = LAST, count: int = SESSIONS) -> list[date]:
    """The last sessions, oldest first: Sunday to Thursday."""
    days = (last - timedelta(days=back) for back in range(2 * count))
    return [day for day in days if day.weekday() not in WEEKEND][:count][::-1]


class Canned:
    """Rows of some symbols over some sessions; a test changes them, and says with `moved` that it did."""

    def __init__(self, symbols: tuple[str, ...] = SYMBOLS, count: int = SESSIONS) -> None:
        """Make the same market each time."""
        self.days = sessions(count=count)
        self.next_day = self.days[-1] + timedelta(days=1)
        self.predictions: list[Row] = []
        self.actuals: list[Row] = []
        self.errors: list[Row] = []
        self.vectors: dict[str, Row] = {}
        self.letters: list[Row] = []
        self.alerts: list[Row] = []
        self.models: list[Row] = []
        self.lineage: dict[str, Any] = {}
        self.offsets = {("features", 0): 7, ("predictions", 0): 3, ("actuals", 0): 2, ("errors", 0): 2}
        self.trouble: Exception | None = None
        self.service: Service | None = None  # of the app that is served
        chance = random.Random(7)
        self.models = [
            trained(number, "v2" if number == 0 else f"v{number + 2}", self.days, chance)
            for number in range(3)
        ]
        for number, symbol in enumerate(symbols):
            self._play(symbol, 150.0 + 60 * number, chance)

    def moved(self, *topics: str) -> None:
        """Let the read side have news of these topics."""
        for topic in topics:
            place = (topic, 0)
            self.offsets = self.offsets | {place: self.offsets.get(place, 0) + 1}

    def _play(self, symbol: str, close: float, chance: random.Random) -> None:
        """Walk a price at random; each session is predicted from the one before."""
        for at, (day, before) in enumerate(zip(self.days[1:], self.days, strict=False)):
            version = "v3" if at >= SESSIONS // 2 else "v2"
            move = chance.gauss(0.0004, 0.016)
            said = 0.06 * move + chance.gauss(0, 0.003)  # a model that knows a little
            forecast = self.predict(symbol, (before, day), close, said, version=version)
            close_before, close = close, max(20.0, round(close * (1 + move), 1))
            self.close(symbol, (before, day), close)
            self._judge(forecast, close, close - close_before)
        self.predict(symbol, (self.days[-1], self.next_day), close, chance.gauss(0, 0.016))
        self.vectors[symbol] = vector(symbol, self.days[-1], close, chance)

    def predict(
        self, symbol: str, days: tuple[date, date], close: float, move: float, *, version: str = "v3"
    ) -> Row:
        """Say what is expected of a session from the one before, and how sure."""
        forecast, width = close * (1 + move), 0.012 + 0.001 * (len(symbol) + ord(symbol[-1]) % 5)
        row = {
            **placed("p", symbol, days[1]),
            "symbol": symbol,
            "as_of": days[0],
            "date": days[1],
            "predicted_close": forecast,
            "last_close": close,
            "low_80": forecast * (1 - width),
            "high_80": forecast * (1 + width),
            "low_95": forecast * (1 - 1.7 * width),
            "high_95": forecast * (1 + 1.75 * width),
            "model_version": version,
        }
        self.predictions.append(row)
        return row

    def close(self, symbol: str, days: tuple[date, date], close: float) -> None:
        """Let a session end."""
        told = {"symbol": symbol, "previous_date": days[0], "date": days[1], "actual_close": close}
        self.actuals.append(placed("a", symbol, days[1]) | told)

    def _judge(self, forecast: Row, close: float, move: float) -> None:
        error = forecast["predicted_close"] - close
        names = ("symbol", "date", "as_of", "model_version")
        self.errors.append(
            placed("e", forecast["symbol"], forecast["date"])
            | {name: forecast[name] for name in names}
            | {
                "predicted": forecast["predicted_close"],
                "actual": close,
                "error": error,
                "abs_error": abs(error),
                "pct_error": 100 * abs(error) / close,
                "baseline_error": -move,
                "within_95": forecast["low_95"] <= close <= forecast["high_95"],
            }
        )

    def fakes(self) -> dict[tuple[Any, str], Callable[..., Any]]:
        """Give what stands in for each query, by module and name."""
        return {
            (newest, "of_symbol"): self._of_symbol,
            (newest, "of_session"): self._of_session,
            (newest, "newest_session"): lambda _, table, __: max(
                (r["date"] for r in self._rows(table)), default=None
            ),
            (market, "symbols"): lambda _, after, most: [
                row for name, row in sorted(self.vectors.items()) if name > after
            ][:most],
            (market, "sessions"): lambda *_: [*self.days, self.next_day][::-1],
            (latest, "newest"): lambda _, symbol: self.vectors.get(symbol),
            (market_routes, "reading"): nullcontext,
            (latest, "symbols"): lambda _: list(self.vectors),
            (models, "told"): lambda _: self.models,
            (skill, "days"): lambda _: self.days[::-1],
            (skill, "changed"): lambda *_: self.days[-1:],
            (skill, "daily"): self._daily,
            (intervals, "fallen"): self._fallen,
            (shadows, "daily"): self._shadowed,
            (skill, "by_symbol"): lambda *_: {},
            (alerts, "listed"): lambda _, **wanted: self.alerts[: wanted["limit"]],
            (alerts, "one"): lambda _, key: next((a for a in self.alerts if a["alert_id"] == key), None),
            (alerts, "counts"): lambda _: {"open": len(self.alerts)},
            (letters, "listed"): lambda _, **wanted: self.letters[: wanted["limit"]],
            (letters, "one"): lambda _, key: next((x for x in self.letters if x["letter_id"] == key), None),
            (letters, "still_open"): lambda _: {"predict": len(self.letters)},
            (pipeline, "newest_slices"): lambda *_: {("predict", "features", 0): Commit(5, NOON, "r")},
            (pipeline, "moments"): lambda _, __, spots, ___: [Moments(None, None)] * len(spots),
            (pipeline, "last_events"): lambda *_: {"predictions": NOON},
            (overview, "conditions"): lambda _: [],
        }

    def positions(self, *_: object) -> dict[tuple[str, int], int]:
        """Tell up to where the read side is, or that the database is away."""
        if self.trouble is not None:
            raise self.trouble
        return self.offsets

    def _rows(self, table: Any) -> list[Row]:
        found: list[Row] = getattr(self, table.name)
        return found

    def _of_symbol(self, _: Engine, table: Any, symbol: str, span: tuple[date, date], cut: Cut) -> Page:
        rows = [
            row for row in self._rows(table) if row["symbol"] == symbol and span[0] <= row["date"] <= span[1]
        ]
        return _cut(sorted(rows, key=lambda row: row["date"], reverse=True), cut, lambda row: row["date"])

    def _of_session(self, _: Engine, table: Any, day: date, cut: Cut) -> Page:
        rows = [row for row in self._rows(table) if row["date"] == day]
        return _cut(sorted(rows, key=lambda row: row["symbol"]), cut, lambda row: row["symbol"])

    def _daily(self, _: Engine, days: list[date]) -> dict[tuple[date, str], tuple[Any, ...]]:
        wanted = set(days)
        found: dict[tuple[date, str], tuple[Any, ...]] = {}
        for row in self.errors:
            if row["date"] in wanted:
                key = (row["date"], row["model_version"])
                found[key] = tuple(map(sum, zip(found.get(key, (0,) * 7), summed(row), strict=True)))
        return found

    def _fallen(self, _: Engine, version: str, __: int) -> Fallen:
        judged = sum(row["model_version"] == version for row in self.errors)
        inside = [round(judged * part) for part in (0.03, 0.09, 0.36, 0.42, 0.07)]
        return Fallen(60, judged, *inside, judged - sum(inside)) if judged else Fallen(0, *(0,) * 7)

    def _shadowed(self, engine: Engine, _: str, most: int) -> dict[date, tuple[Any, ...]]:
        sums = {day: one for (day, _), one in self._daily(engine, self.days[-most:]).items()}
        return {day: (one[0], one[1] * 0.93, one[2] * 0.96, one[1], one[2]) for day, one in sums.items()}


NOON = datetime.combine(LAST, time(6, 15), UTC)


def placed(kind: str, symbol: str, day: date) -> Row:
    """Say where a record lies, and when it was said."""
    return {
        "partition": 0,
        "offset": 12,
        "event_id": f"{kind}-{symbol}-{day}",
        "timestamp": datetime.combine(day, time(9, 20), UTC),
        "correlation_id": f"c-{day}",
        "revision": 0,
    }


def vector(symbol: str, day: date, close: float, chance: random.Random) -> Row:
    """Make a feature vector."""
    features = {
        "RSI_14": chance.uniform(20, 80),
        "MACD": chance.gauss(0, 4),
        "SMA_20": close * chance.uniform(0.95, 1.05),
        "EMA_12": close * chance.uniform(0.97, 1.03),
        "ATR_14": close * 0.02,
        "OBV": chance.gauss(0, 1e6),
        "return_1": chance.gauss(0, 0.02),
        "return_5": chance.gauss(0, 0.04),
        "volatility_20": chance.uniform(0.01, 0.03),
        "volume_ratio": chance.uniform(0.2, 3),
        "days_since_news": None,
    }
    told = {"symbol": symbol, "date": day, "feature_set": "2", "last_close": close, "revision": 0}
    return told | {"features": features, "offset": 3, "event_id": f"f-{symbol}"}


def trained(at: int, version: str, days: list[date], chance: random.Random) -> Row:
    """Say that a version was trained; the last one waits for its turn."""
    names = ("return_1", "return_5", "RSI_14", "MACD", "volatility_20", "volume_ratio", "ATR_14", "OBV")
    payload = {
        "model_version": version,
        "promoted": at < 2,
        "why": "better than persistence on the hold-out" if at < 2 else "no clear difference to v3",
        "training_start": "2022-01-02",
        "training_end": str(days[0] if at < 2 else days[-20]),
        "holdout_start": "2023-06-01",
        "performance": {"mape": 1.34 - at / 20, "rmse_return": 0.0171 - at / 5000},
        "baseline_performance": {"rmse_return": 0.0174},
        "features_used": list(names),
        "feature_set": "2",
        "artifact_location": "s3://models/m",
        "reasons": ["mean absolute error above 3 % for 5 sessions"],
        "importance": {name: round(4 * chance.random() ** 2, 2) for name in names},
        "code_version": "0.1.0",
        "data_version": 41 + at,
    }
    place = {"event_id": f"m{at}", "event_type": "ModelTrained", "model_version": version, "offset": at}
    return place | {"timestamp": datetime.combine(days[at], time(10), UTC), "payload": payload}


def summed(row: Row) -> tuple[float, ...]:
    """Sum one error as the database does."""
    error, base = row["error"], row["baseline_error"]
    return (1, error * error, abs(error), base * base, abs(base), 1, int(row["within_95"]))


def _cut(rows: list[Row], cut: Cut, key: Callable[[Row], Any]) -> Page:
    """Give the rows behind a key; `Page.next` is a symbol or a session and a date."""
    if cut.after is not None:
        place = [key(row) for row in rows].index(cut.after[0]) + 1
        rows = rows[place:]
    more = len(rows) > cut.limit
    shown = rows[: cut.limit]
    return Page(shown, (key(shown[-1]), shown[-1]["date"]) if more else None)


@contextmanager
def in_place_of_the_database(canned: Canned) -> Iterator[None]:
    """Let the queries find what is canned."""
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), fake in canned.fakes().items():
            patch.setattr(module, name, fake)
        patch.setattr("web.service.positions", canned.positions)
        yield
