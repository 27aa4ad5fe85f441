"""A new session as compute-features gets it, warm: its window from the cache, its own rows from the store.

`python -m bench.session YEARS` measures it after so many years of history. The step is the flow's own, over
a topic and objects in memory; neither broker nor Prefect is in the time.
"""

import argparse
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from bench import market
from bench.processes import peak, tell
from events.envelope import Causation, Event, Metadata, derive_id, encode
from events.payloads import DataIngested, FeaturesComputed, Payload
from infra.bootstrap import Loop
from infra.kafka.records import Place, Received
from infra.settings import Settings
from tasks.core.grid import WINDOW
from tasks.core.prices import session_to_parquet
from tasks.features import compute_vectors

SYMBOLS = 350
SESSIONS_A_YEAR = 230
"""As many as the real history has."""
WARM, MEASURED = 5, 40
PRODUCER, MARKET = "bench", "NEPSE"


@dataclass
class Topic:
    """A topic in memory, all of it committed."""

    entries: list[Received[Payload]] = field(default_factory=list)

    def refresh(self) -> int:
        """Everything is known already."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[Received[Payload]]:
        """List entries; an entry's offset is its place in the list."""
        return self.entries[start:end]

    def has(self, event_id: str) -> bool:
        """Tell whether an event is there."""
        return any(entry.id == event_id for entry in self.entries)


class Objects(dict[str, bytes]):
    """A store in memory."""

    def get_many(self, uris: Iterable[str]) -> dict[str, bytes]:
        """Read objects."""
        return {uri: self[uri] for uri in uris}


class Memory(Loop):
    """The outside world as compute-features sees it, in memory."""

    def __init__(self) -> None:
        """Nothing was ingested yet."""
        super().__init__(Settings())
        self.topic, self.objects = Topic(), Objects()

    def _log(self, _: str) -> Any:
        return self.topic

    @property
    def store(self) -> Any:
        """The objects."""
        return self.objects

    def ingest(self, day: date, content: bytes) -> Received[DataIngested]:
        """Announce a session."""
        location, offset = f"s3://bench/{day}", len(self.topic.entries)
        self.objects[location] = content
        previous = self.topic.entries[-1].payload.date if offset else None  # type: ignore[attr-defined]
        payload = DataIngested(symbol=MARKET, date=day, data_location=location, previous_date=previous)
        name = derive_id(PRODUCER, "", str(day))
        event = Event(datetime.now(UTC), PRODUCER, payload, Metadata(name, name))
        entry = Received(event, Place("raw-data", 0, offset), None, b"")
        self.topic.entries.append(entry)
        return entry


def contents(symbols: int, sessions: int) -> tuple[date, list[bytes]]:
    """Write the market's last sessions as stored objects, so many symbols each; tells the last one's day."""
    found = market.load(sessions)
    rng = np.random.default_rng(1)
    names = [f"{'ABCDEFGHIJ'[n % 10]}{n}" for n in rng.permutation(symbols)]
    return found.days[-1][0], [session_to_parquet(market.widened(rows, names)) for _, rows in found.days]


def announced(years: int, stored: list[bytes], last: date) -> tuple[Memory, list[tuple[date, bytes]]]:
    """Ingest years of sessions but the last few, which are returned; older ones repeat what is stored."""
    days = market.days_until(last, years * SESSIONS_A_YEAR)
    made = list(zip(days, (stored[(n - len(days)) % len(stored)] for n in range(len(days))), strict=True))
    memory = Memory()
    for day, content in made[: -(WARM + MEASURED)]:
        memory.ingest(day, content)
    return memory, made[-(WARM + MEASURED) :]


def measure(years: int, symbols: int = SYMBOLS) -> dict[str, Any]:
    """Compute one session after the other; milliseconds of those that come warm."""
    last, stored = contents(symbols, WINDOW + WARM + MEASURED)
    memory, coming = announced(years, stored, last)
    computing, writing, vectors = [], [], 0
    for day, content in coming:
        cause = memory.ingest(day, content)
        began = time.perf_counter()
        found = compute_vectors.fn(memory, [cause])
        computing.append(time.perf_counter() - began)
        [(_, payloads)] = found.computed
        began = time.perf_counter()
        vectors = len([encode(event(cause, one)) for one in payloads])
        writing.append(time.perf_counter() - began)
    told = {"sessions": years * SESSIONS_A_YEAR, "vectors": vectors, "peak": peak()}
    return told | _milliseconds("computed", computing[WARM:]) | _milliseconds("written", writing[WARM:])


def event(cause: Received[DataIngested], payload: FeaturesComputed) -> Event[FeaturesComputed]:
    """Build the event that a vector goes out in."""
    name = derive_id(PRODUCER, cause.id, payload.symbol)
    origin = Causation(*cause.place, cause.id)
    return Event(
        datetime.now(UTC), PRODUCER, payload, Metadata(name, cause.correlation_id, 0, origin, "bench")
    )


def _milliseconds(what: str, seconds: list[float]) -> dict[str, float]:
    return {what: statistics.median(seconds) * 1000, f"{what}_worst": max(seconds) * 1000}


def main() -> None:
    """Measure in this process."""
    parser = argparse.ArgumentParser(prog="python -m bench.session", description=__doc__)
    parser.add_argument("years", type=int)
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    options = parser.parse_args()
    tell(measure(options.years, options.symbols))


if __name__ == "__main__":
    main()
