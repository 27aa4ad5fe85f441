"""A read side of a test's own: a database of the running server, filled by projecting events."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.schema import CreateSchema

from events.envelope import Event, Metadata, encode
from events.payloads import Payload
from infra.bootstrap import Loop
from infra.database import connection, projected
from infra.database.private_tables import PRIVATE
from infra.database.tables import metadata
from infra.settings import Settings
from tasks.core.projection import COLUMNS, project
from tasks.projections import READ_SIDE

MOMENT_MS = 1_709_500_000_000


@dataclass
class Record:
    """A record as a consumer hands it over."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = MOMENT_MS
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class ReadSide:
    """Tables that a test fills; `engine` is that of readers."""

    writer: Engine
    engine: Engine
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    def tell(self, topic: str, *payloads: Payload, partition: int = 0) -> None:
        """Project events behind those that are there, in one batch."""
        at = self.ends.get((topic, partition), 0)
        self.project(Record(topic, partition, at + n, event(one)) for n, one in enumerate(payloads))

    def project(self, records: Iterator[Record]) -> None:
        """Project records of one partition."""
        batch = list(records)
        place, end = (batch[0].topic, batch[0].partition), batch[-1].offset + 1
        rows = {name: (COLUMNS[name], list(found.values())) for name, found in project(batch).rows.items()}
        starts = {place: self.ends[place]} if place in self.ends else {}
        projected.store(self.writer, READ_SIDE, rows, starts, {place: end})
        self.ends[place] = end


def event(payload: Payload, at: datetime = datetime(2024, 3, 4, tzinfo=UTC)) -> bytes:
    """Encode an event with an id of its own."""
    name = uuid.uuid4().hex
    return encode(Event(at, "test", payload, Metadata(name, name)))


@contextmanager
def read_side(settings: Settings) -> Iterator[ReadSide]:
    """Make a database with all tables, and drop it at the end."""
    name = f"reads_{uuid.uuid4().hex[:8]}"
    _command(settings, f"CREATE DATABASE {name}")
    url = settings.postgres(name)
    writer = connection._engine(url, "nepse", connection._OPTIONS)
    reader = connection._engine(url, "nepse-web", connection._READING)
    try:
        with writer.begin() as open_:
            open_.execute(CreateSchema(PRIVATE))
            metadata.create_all(open_)
        yield ReadSide(writer, reader)
    finally:
        writer.dispose()
        reader.dispose()
        _command(settings, f"DROP DATABASE {name} WITH (FORCE)")


def _command(settings: Settings, command: str) -> None:
    engine = create_engine(settings.postgres(connection.DATABASE), isolation_level="AUTOCOMMIT")
    with engine.connect() as open_:
        open_.execute(text(command))
    engine.dispose()


def project_records(loop: Loop, topic: str, *payloads: Payload, offset: int | None = None) -> None:
    """Put events of now into the servers' own read side, as its projector does, at offsets that only grow."""
    batch = list[Record]()
    for payload in payloads:
        now = datetime.now(UTC)
        at = offset if offset is not None else int(now.timestamp() * 1e6)
        batch.append(Record(topic, 9, at, event(payload, now)))
    rows = {name: (COLUMNS[name], list(found.values())) for name, found in project(batch).rows.items()}
    ends = {(topic, 9): batch[-1].offset}
    projected.store(loop.database, f"test-{uuid.uuid4().hex}", rows, {}, ends)
