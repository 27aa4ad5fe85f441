"""What a backfill costs the live loop: how soon a session is predicted alone, and while a backfill runs.

Sessions are announced one by one on a whole stack, as `nepse ingest` does it. Each is clocked from its
DataIngested until a reader of committed records has a prediction of every symbol.
"""

import io
import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from typing import Any

from kafka import KafkaConsumer

from bench import market
from bench.processes import say
from bench.servers import NEPSE, servers
from events.envelope import decode
from events.payloads import DataIngested, PredictionMade
from infra.bootstrap import Loop
from infra.inputs import InputFile
from infra.kafka import scanning
from infra.kafka.lag import unsettled
from infra.kafka.records import of_kind
from infra.kafka.source import Source
from infra.settings import Settings
from tasks.announcements import PRODUCER
from tasks.ingestion import ingest_batch
from tasks.reading import Session, read_sessions

EACH = 3
"""Sessions alone, and as many beside the backfill; the median of each counts."""
PAST = 300
"""Sessions that are there before; all of them are filled again."""
PARTS = ("kafka", "s3", "postgres", "prefect", "deploy", "forecasting", "judging", "telling", "projectors")
"""Everything but what trains, so that no training takes its share."""
WITHIN, SETTLED_WITHIN, POLL_MS = 120.0, 1_800.0, 20


class Clock:
    """Announces sessions and tells how long their predictions take."""

    def __init__(self, settings: Settings, loop: Loop, reader: KafkaConsumer) -> None:
        """Read predictions from their present ends on, with a consumer of committed records."""
        self._loop, self._reader = loop, reader
        self._features = scanning.spots_of(settings, ["features"])
        reader.assign(scanning.spots_of(settings, ["predictions"]))
        reader.seek_to_end()

    def seconds(self, session: Session) -> float:
        """Announce a session; gives the seconds until the last of its predictions.

        Raises:
            TimeoutError: they are not all there within two minutes.
        """
        (told,) = of_kind(self.announce([session]), DataIngested)
        missing = told.payload.row_count or 0
        for symbols in self._predicted(told.payload.date):
            missing -= len(symbols)
            if not missing:
                break
        return time.time() - told.event.timestamp.timestamp()

    def announce(self, sessions: list[Session]) -> Any:
        """Announce sessions, and give their events of raw-data."""
        raw_data, source = self._loop.raw_data, Source(self._loop.pool, PRODUCER)
        before = raw_data.refresh()
        source.open()
        with closing(source):
            ingest_batch.fn(self._loop, source, sessions)
        return raw_data.between(before, raw_data.refresh())

    def _predicted(self, day: date) -> Iterator[set[str]]:
        """Give the symbols that are predicted from a session, as they come."""
        deadline, seen = time.monotonic() + WITHIN, set[str]()
        while True:
            batches = self._reader.poll(timeout_ms=POLL_MS).values()
            made = [decode(record.value).payload for batch in batches for record in batch]
            fresh = {p.symbol for p in made if isinstance(p, PredictionMade) and p.as_of == day} - seen
            seen |= fresh
            yield fresh
            if time.monotonic() > deadline:
                message = f"session {day} has {len(seen)} predictions after {WITHIN:.0f} s"
                raise TimeoutError(message)

    def await_vectors(self, filling: subprocess.Popen[str]) -> None:
        """Wait until a backfill has published something, or has ended."""
        before = scanning.ends(self._reader, self._features)
        while filling.poll() is None and scanning.ends(self._reader, self._features) == before:
            time.sleep(POLL_MS / 1000)


@contextmanager
def clock(settings: Settings) -> Iterator[Clock]:
    """Give a clock whose clients are closed in the end."""
    with closing(Loop(settings)) as loop, scanning.reader(settings) as reader:
        yield Clock(settings, loop, reader)


def measure(settings: Settings, sessions: Sequence[Session], backfill: Sequence[str]) -> dict[str, Any]:
    """Clock one half of the sessions alone, the other half while a command backfills.

    Args:
        settings: a stack whose flows have nothing to do.
        sessions: that were not announced yet, oldest first.
        backfill: arguments of `nepse`.

    Returns:
        Seconds of each session (`alone`, `beside`), whether the backfill outlasted them (`outlasted`), its
        `seconds` and its `vectors`.
    """
    half = len(sessions) // 2
    with clock(settings) as watch:
        alone = [watch.seconds(one) for one in sessions[:half]]
        began = time.monotonic()
        command = [NEPSE, *backfill, "--json", "--home", str(settings.home)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as filling:
            watch.await_vectors(filling)
            beside = [watch.seconds(one) for one in sessions[half:]]
            outlasted = filling.poll() is None
            words, _ = filling.communicate()
    return {
        "alone": alone,
        "beside": beside,
        "outlasted": outlasted,
        "seconds": time.monotonic() - began,
        "vectors": json.loads(words)["published"],
    }


def measured(past: int = PAST) -> dict[str, Any]:
    """Measure on the market's last sessions, on a whole stack of their own."""
    found = market.load(past + 2 * EACH)
    history, live = (market.Market(found.source, days) for days in (found.days[:past], found.days[past:]))
    span = ("backfill", "--from", str(history.days[0][0]), "--to", str(history.days[-1][0]), "--force")
    with servers(*PARTS, NEPSE_RETRAIN_AFTER_SESSIONS="100000") as settings:
        with clock(settings) as watch:
            watch.announce(_sessions(history))
        settle(settings)
        told = measure(settings, _sessions(live), span)
    say(f"  alone {told['alone']}, beside a backfill {told['beside']}")
    return told | {"sessions": past, "symbols": statistics.median(len(rows) for _, rows in live.days)}


def settle(settings: Settings) -> None:
    """Wait until the flows have nothing to do.

    Raises:
        TimeoutError: half an hour was not enough.
    """
    readers: dict[str, KafkaConsumer] = {}
    deadline = time.monotonic() + SETTLED_WITHIN
    while unsettled(settings, readers):
        if time.monotonic() > deadline:
            message = f"the flows had not done everything within {SETTLED_WITHIN:.0f} s"
            raise TimeoutError(message)
        time.sleep(1)
    for reader in readers.values():
        reader.close(autocommit=False)


def _sessions(found: market.Market) -> list[Session]:
    """Read a market as a price table is read."""
    table = io.BytesIO()
    found.rows().to_parquet(table, index=False)
    read, _ = read_sessions.fn([InputFile("history.parquet", table.getvalue())], date.min, date.max)
    return read
