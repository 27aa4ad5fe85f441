"""What readers read from: years of predictions, closes and errors, and the system's own words about them.

Rows go straight into the tables by COPY, as a projector would have left them; news are one of its batches.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Engine, text

from bench.market import days_until
from events.envelope import Event, Metadata, encode
from events.payloads import (
    AlertRaised,
    AlertResolved,
    FeaturesComputed,
    ModelPromoted,
    ModelTrained,
    OffsetRange,
    Payload,
    SliceCommitted,
)
from infra.database import projected, tables
from infra.database.bulk import append_rows
from infra.settings import Settings
from infra.wiring import routes
from tasks.core.projection import COLUMNS, project
from tasks.projections import READ_SIDE

LAST = date(2024, 3, 4)
FEATURES = 180
RESOLVED = 0.8
"""Share of alerts that end in their session."""
RULES = ("abs_error", "pct_error", "outside_95")
Row = dict[str, Any]


class Record:
    """A record as a consumer hands it over."""

    key = None
    headers: Sequence[tuple[str, bytes]] = ()

    def __init__(self, topic: str, partition: int, offset: int, event: Event[Payload]) -> None:
        """Keep where it lies."""
        self.topic, self.partition, self.offset = topic, partition, offset
        self.value, self.timestamp = encode(event), int(event.timestamp.timestamp() * 1_000)


class ReadSide:
    """A read side that is filled, and that news come to afterwards."""

    def __init__(self, settings: Settings, engine: Engine, sessions: int, symbols: int) -> None:
        """Nothing is filled yet."""
        self._settings, self._engine = settings, engine
        self.days = days_until(LAST, sessions + 1)
        self.symbols = [f"SYM{number:03}" for number in range(symbols)]
        self._number = {day: number for number, day in enumerate(self.days)}
        self._ends: dict[tuple[str, int], int] = {}
        self._chance = random.Random(7)  # noqa: S311  (no secret)
        self.news = 0

    def fill(self) -> int:
        """Fill all tables; returns how many predictions, closes and errors there are."""
        with self._engine.begin() as connection:
            for name in ("predictions", "actuals", "errors"):
                rows = [tuple(row.get(column) for column in COLUMNS[name]) for row in self._rows(name)]
                append_rows(connection, tables.metadata.tables[name], COLUMNS[name], rows)
                self._place(connection, name)
        self._tell_the_rest()
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))  # what autovacuum does within minutes
        return 3 * (len(self.days) - 1) * len(self.symbols)

    def _place(self, connection: Connection, name: str) -> None:
        """Let the read side stand behind what was filled in."""
        for (topic, partition), end in self._ends.items():
            if topic == name:
                told = {"topic": topic, "partition": partition, "next_offset": end, "projector": READ_SIDE}
                connection.execute(tables.positions.insert().values(**told))

    def _rows(self, name: str) -> Iterator[Row]:
        """Walk each symbol's price; a session is predicted from the one before."""
        closes = {symbol: self._chance.uniform(100, 2_000) for symbol in self.symbols}
        for before, day in pairwise(self.days):
            for symbol in self.symbols:
                last = closes[symbol]
                closes[symbol] = close = max(10.0, last * self._chance.gauss(1.0, 0.015))
                yield self._row(name, symbol, (before, day), (last, close))

    def _row(self, name: str, symbol: str, days: tuple[date, date], prices: tuple[float, float]) -> Row:
        (before, day), (last, close) = days, prices
        forecast = last * self._chance.gauss(1.0, 0.01)
        error = forecast - close
        partition = hash_of(symbol, self._settings.partitions)
        return {
            "partition": partition,
            "offset": self._next(name, partition),
            "event_id": f"{name}-{symbol}-{day}",
            "timestamp": at(day),
            "producer": "bench",
            "correlation_id": f"chain-{before}",
            "symbol": symbol,
            "date": day,
            "as_of": before,
            "previous_date": before,
            "predicted_close": forecast,
            "last_close": last,
            **{
                f"{end}_{level}": forecast * (1 + sign * width)
                for end, sign in SIDES
                for level, width in LEVELS
            },
            "model_version": self.version(day),
            "actual_close": close,
            "predicted": forecast,
            "actual": close,
            "error": error,
            "abs_error": abs(error),
            "pct_error": 100 * abs(error) / close,
            "baseline_error": last - close,
            "within_95": abs(error) < 0.04 * forecast,
            "revision": 0,
            "retracted": False,
        }

    def version(self, day: date) -> str:
        """Name the version that predicted a session: a new one each hundred sessions."""
        return f"v{1 + self._number[day] // 100}"

    def _next(self, topic: str, partition: int) -> int:
        offset = self._ends.get((topic, partition), 0)
        self._ends[topic, partition] = offset + 1
        return offset

    def _tell_the_rest(self) -> None:
        """Tell of features, versions, alerts and slices."""
        features = {f"feature_{number}": float(number) for number in range(FEATURES)}
        vectors = [
            FeaturesComputed(symbol=symbol, date=self.days[-1], features=features, last_close=500.0)
            for symbol in self.symbols
        ]
        self.tell("features", vectors)
        versions = sorted({self.version(day) for day in self.days})
        self.tell("models", [one for version in versions for one in (_trained(version), _promoted(version))])
        for day in self.days[1:]:
            self.tell("alerts", self._alerts(day))
            self.tell("slices", self._slices())

    def _alerts(self, day: date) -> list[Payload]:
        """Raise some alerts of a session, and end most of those that stand."""
        found: list[Payload] = []
        for symbol in self._chance.sample(self.symbols, min(12, len(self.symbols))):
            rule = self._chance.choice(RULES)
            told = {"rule": rule, "alert_id": f"{rule}-{symbol}", "message": f"{symbol} on {day}"}
            found.append(AlertRaised(severity="warning", symbol=symbol, date=day, **told))
            if self._chance.random() < RESOLVED:
                found.append(AlertResolved(symbol=symbol, **told))
        return found

    def _slices(self) -> list[Payload]:
        """Let each flow have committed all that there is."""
        found: list[Payload] = []
        for route in routes():
            ranges = [
                OffsetRange(topic=topic, partition=number, start=max(0, end - 100), end=end)
                for (topic, number), end in self._ends.items()
                if topic in route.topics
            ]
            if ranges:
                found.append(SliceCommitted(flow=route.flow, group=route.flow, ranges=ranges, run_id="run"))
        return found

    def bring_news(self) -> None:
        """Project one more error, which all that tells of errors has to be made anew for."""
        self.news += 1
        symbol, day = self._chance.choice(self.symbols), self.days[-1]
        partition = hash_of(symbol, self._settings.partitions)
        row = self._row("errors", symbol, (self.days[-2], day), (500.0, 501.0))
        start = row["offset"]
        told = tuple(
            (row | {"event_id": f"news-{self.news}", "revision": self.news}).get(c) for c in COLUMNS["errors"]
        )
        place = ("errors", partition)
        projected.store(
            self._engine,
            READ_SIDE,
            {"errors": (COLUMNS["errors"], [told])},
            {place: start},
            {place: start + 1},
        )

    def tell(self, topic: str, payloads: Sequence[Payload]) -> None:
        """Project events, each to its partition, as the projector does."""
        starts = dict(self._ends)
        number = self._settings.partitions if topic == "features" else 1
        records = []
        for payload in payloads:
            partition = hash_of(payload.key, number)
            offset = self._next(topic, partition)
            name = f"{topic}-{partition}-{offset}"
            event = Event(at(self.days[-1]), "bench", payload, Metadata(name, name))
            records.append(Record(topic, partition, offset, event))
        rows = {
            table: (COLUMNS[table], list(found.values())) for table, found in project(records).rows.items()
        }
        ends = {place: end for place, end in self._ends.items() if end != starts.get(place)}
        projected.store(self._engine, READ_SIDE, rows, starts, ends)


SIDES = (("low", -1), ("high", 1))
LEVELS = ((80, 0.02), (95, 0.035))


def hash_of(key: str, number: int) -> int:
    """Spread keys over partitions, the same way each time."""
    return sum(key.encode()) % number


def at(day: date) -> datetime:
    """Tell when a session's events were made."""
    return datetime.combine(day, time(9, 20), UTC)


def _trained(version: str) -> ModelTrained:
    known = {"performance": {"mape": 1.5}, "features_used": [], "artifact_location": "s3://m"}
    return ModelTrained(model_version=version, promoted=False, **known)


def _promoted(version: str) -> Payload:
    return ModelPromoted(model_version=version, reason="the better one")
