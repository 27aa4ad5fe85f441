"""Ingestion without servers: what is published is kept, what is stored is a dictionary."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandas as pd

from events.envelope import Event, decode
from events.payloads import ActualAvailable, Payload
from infra.errors import RejectError
from infra.kafka.records import Outgoing, Place, Received
from infra.store import OccupiedError
from tasks.core.layout import REJECTED, DailyFile
from tasks.core.prices import content_hash, session_from_parquet
from tasks.core.sessions import SessionIndex
from tasks.ingestion import ingest_batch
from tasks.reading import Line, Session


class Shelves:
    """Stands in for the object store."""

    def __init__(self) -> None:
        """Nothing is stored yet."""
        self.objects: dict[str, bytes] = {}

    def put_new(self, uri: str, content: bytes) -> bool:
        """Keep an object, never another under its name."""
        if self.objects.get(uri, content) != content:
            raise OccupiedError(uri)
        return self.objects.setdefault(uri, content) is content

    def put_beside_many(self, objects: Mapping[str, bytes]) -> dict[str, str]:
        """Keep objects whose names are free."""
        for uri, content in objects.items():
            self.put_new(uri, content)
        return {uri: uri for uri in objects}

    def get_many(self, uris: Iterable[str]) -> dict[str, bytes]:
        """Give objects; one that is not there makes the caller's record unusable."""
        wanted = list(uris)
        if missing := [uri for uri in wanted if uri not in self.objects]:
            message = f"object {missing[0]} does not exist"
            raise RejectError(message)
        return {uri: self.objects[uri] for uri in wanted}


class Exchange:
    """Commands that ingest, and what the topics say afterwards."""

    def __init__(self) -> None:
        """Nothing is published yet."""
        self.records: list[Outgoing] = []
        self.patience = 10**6
        """Transactions before the command is killed."""
        self.raw: list[Received[Any]] = []
        self.store = Shelves()
        self._kept: dict[str, Any] = {}
        self.loop: Any = SimpleNamespace(
            settings=SimpleNamespace(raw_bucket="nepse-raw"), store=self.store, keep=self._keep, raw_data=self
        )
        self.loop.live = self.loop

    def _keep(self, name: str, make: Callable[[], Any]) -> Any:
        return self._kept.setdefault(name, None) or self._kept.update({name: make()}) or self._kept[name]

    def refresh(self) -> int:
        """Tell the end of raw-data."""
        return len(self.raw)

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """Give the events of raw-data."""
        return self.raw[start:end]

    def publish(self, records: Iterable[Outgoing]) -> int:
        """Take a transaction as committed."""
        if not self.patience:
            raise InterruptedError
        self.patience -= 1
        batch = list(records)
        self.records += batch
        for record in batch:
            if record.topic == "raw-data":
                event: Event[Any] = decode(record.value)
                place = Place("raw-data", 0, len(self.raw))
                self.raw.append(Received(event, place, record.key, record.value))
        return len(batch)

    def command(self, *found: Session) -> list[Line]:
        """Ingest sessions as one command."""
        source: Any = self
        return ingest_batch.fn(self.loop, source, list(found))

    def events(self, kind: type[Payload]) -> list[Any]:
        """List the payloads of a kind, oldest first."""
        found = [decode(record.value).payload for record in self.records]
        return [payload for payload in found if isinstance(payload, kind)]

    def index(self) -> SessionIndex:
        """Read raw-data as anybody can."""
        index = SessionIndex()
        for offset, received in enumerate(self.raw):
            index.add(offset, received.payload, received.id)
        return index

    def held(self) -> dict[date, str]:
        """Tell the content of each session that is held."""
        return {held.day: held.digest for held in self.index().alive()}

    def actuals(self) -> dict[tuple[date, str], tuple[float, date | None]]:
        """Tell each close that counts and the session before, as a reader of actuals sees it."""
        told: dict[tuple[date, str], list[ActualAvailable]] = defaultdict(list)
        for one in self.events(ActualAvailable):
            told[one.date, one.symbol].append(one)
        newest = {key: max(ones, key=lambda one: one.revision) for key, ones in told.items()}
        for ones in told.values():
            assert len({one.revision for one in ones}) == len(ones), "two actuals of one revision"
        return {
            key: (one.actual_close, one.previous_date) for key, one in newest.items() if not one.retracted
        }

    def wanted(self) -> dict[tuple[date, str], tuple[float, date | None]]:
        """Tell what `actuals` has to say, from the stored objects of the sessions held."""
        found: dict[tuple[date, str], tuple[float, date | None]] = {}
        before: date | None = None
        for held in self.index().alive():
            day, rows = held.day, session_from_parquet(self.store.objects[held.location], held.location)
            found |= {(day, s): (c, before) for s, c in zip(rows["symbol"], rows["close"], strict=True)}
            before = day
        return found


def told(rows: pd.DataFrame, named: date | None, *, dated: bool = False, bad: int = 0) -> Session:
    """A file with these rows, and some that were rejected."""
    cells = [(n + 2, f"BAD{n}", "missing_close", "missing_close", "{}") for n in range(bad)]
    left_out = pd.DataFrame(cells, columns=list(REJECTED))
    content = DailyFile(f"{named}.csv", rows, left_out)
    return Session(content.source, named, content, content_hash(rows), dated)
