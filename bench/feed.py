"""The events of the join's benchmark: predictions, and actuals of which half come before their partner."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

import orjson
from kafka import KafkaProducer

from events.envelope import Causation, Event, Metadata, derive_id, encode
from events.payloads import ActualAvailable, PredictionMade
from infra.kafka.records import partition_of
from infra.settings import Settings

LAG = 3
"""An actual comes so many sessions after its prediction, or, for every second one, before it."""
CONSONANTS, VOWELS = "BCDGHJKLMNPRST", "AEIOU"
SYMBOLS = [a + e + b + "L" for a in CONSONANTS[:10] for e in VOWELS for b in CONSONANTS[:7]]
"""350 of them, as many as are traded in Kathmandu on a day."""
FEATURES = ["Close_Lag_1", "SMA_20", "RSI", "Volume_Z_Score"]
FIRST = date(2008, 1, 6)
VERSION = "bench"


class Placed(NamedTuple):
    """An event, and when it comes among the others."""

    position: int
    topic: str
    symbol: str
    day: date
    value: bytes


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is fed: pairs of a prediction and an actual."""

    pairs: int

    @property
    def sessions(self) -> int:
        """How many sessions that takes; the last may be of fewer symbols."""
        return -(-self.pairs // len(SYMBOLS))


def sessions(number: int) -> list[date]:
    """List trading days: Sunday to Thursday."""
    days, day = [], FIRST
    while len(days) < number:
        if day.isoweekday() not in {5, 6}:
            days.append(day)
        day += timedelta(days=1)
    return days


def closes(session: int, number: int) -> tuple[float, float]:
    """Make up what was predicted and what came, in rupees with two decimals."""
    base = 200 + (number * 37 + session * 11) % 1800
    return base + (session * 7 + number) % 100 / 100, base + ((session * 13 + number * 3) % 2000 - 1000) / 100


def pairs(sizes: Sizes) -> Iterator[tuple[int, int]]:
    """Give session and symbol of each pair, in the order of the predictions."""
    return islice(((s, n) for s in range(sizes.sessions) for n in range(len(SYMBOLS))), sizes.pairs)


def expected(sizes: Sizes) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Compute predicted, actual and error of each symbol and session, by the chapter's formula."""
    days = [str(day) for day in sessions(sizes.sessions)]
    found = {}
    for session, number in pairs(sizes):
        predicted, actual = closes(session, number)
        found[SYMBOLS[number], days[session]] = (predicted, actual, round(predicted - actual, 6))
    return found


def history(sizes: Sizes) -> Iterator[Placed]:
    """Make all events in the order in which they come."""
    days = sessions(sizes.sessions)
    late = (_actual(days, s, n, LAG) for s, n in pairs(sizes) if (s + n) % 2)
    early = (_actual(days, s, n, -LAG) for s, n in pairs(sizes) if not (s + n) % 2)
    made = (_prediction(days, s, n) for s, n in pairs(sizes))
    return merge(made, late, early, key=lambda placed: placed.position)


def _prediction(days: list[date], session: int, number: int) -> Placed:
    predicted, _ = closes(session, number)
    payload = PredictionMade(
        symbol=SYMBOLS[number],
        date=days[session],
        predicted_close=predicted,
        model_version="12",
        features_used=FEATURES,
        as_of=days[session - 1] if session else None,
        last_close=predicted - 1,
        interval_80=(predicted - 5, predicted + 5),
        interval_95=(predicted - 9, predicted + 9),
    )
    return _placed(session, number, 0, "predictions", payload)


def _actual(days: list[date], session: int, number: int, lag: int) -> Placed:
    _, actual = closes(session, number)
    previous = days[session - 1] if session else None
    payload = ActualAvailable(
        symbol=SYMBOLS[number], date=days[session], actual_close=actual, previous_date=previous
    )
    return _placed(session, number, lag, "actuals", payload)


def _placed(session: int, number: int, lag: int, topic: str, payload: Any) -> Placed:
    name = derive_id(VERSION, topic, f"{session}.{number}")
    cause = Causation("raw-data", 0, session, derive_id(VERSION, "raw-data", str(session)))
    moment = datetime.combine(payload.date, time(10, 15), UTC)
    metadata = Metadata(name, cause.event_id, 0, cause, VERSION)
    position = (session + lag) * len(SYMBOLS) + number
    value = encode(Event(moment, VERSION, payload, metadata))
    return Placed(position, topic, payload.symbol, payload.date, value)


def publish(settings: Settings, events: Iterator[Placed], lonely: set[tuple[str, date]]) -> int:
    """Send events as they come; returns how many pairs became complete.

    A record's time is its session's, by which some joins match. What has no partner yet is kept in `lonely`.
    """
    producer = KafkaProducer(
        bootstrap_servers=settings.bootstrap, acks="all", linger_ms=50, batch_size=1024 * 1024
    )
    complete = 0
    for event in events:
        key = event.symbol, event.day
        complete += key in lonely
        (lonely.remove if key in lonely else lonely.add)(key)
        partition = partition_of(event.symbol.encode(), settings.partitions)
        at = int(datetime.combine(event.day, time(), UTC).timestamp() * 1000)
        producer.send(event.topic, event.value, event.symbol.encode(), partition=partition, timestamp_ms=at)
    producer.flush()
    producer.close()
    return complete


def answers(values: Iterator[bytes]) -> list[tuple[tuple[str, str], tuple[float, float, float]]]:
    """Read errors as (symbol, session), (predicted, actual, error)."""
    payloads = (event["payload"] for value in values if (event := orjson.loads(value)))
    return [
        ((p["symbol"], p["date"]), (p["predicted"], p["actual"], round(p["error"], 6)))
        for p in payloads
        if "error" in p
    ]
