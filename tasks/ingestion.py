"""Files become sessions: read, compare with what is there, store, announce."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from prefect import task

from events.envelope import Event, Metadata, derive_id, encode
from events.payloads import ActualAvailable, DataIngested
from infra.bootstrap import Loop
from infra.errors import RejectError
from infra.inputs import InputFile, Unreadable
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.kafka.work import CODE_VERSION
from infra.progress import tell
from tasks.core.layout import DailyFile, NotAPriceFileError
from tasks.core.prices import content_hash, file_date, read_daily, read_table_parquet, session_to_parquet
from tasks.core.sessions import SessionIndex
from tasks.sessions import sessions

MARKET = "NEPSE"
PRODUCER = "ingest"
BATCH = 25
"""Sessions stored and announced together when there are many: about 8,000 events a transaction."""
REASONS = 3
"""Refused files whose reasons are told when nothing at all could be used."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session as a file tells it."""

    source: str
    day: date
    content: DailyFile
    digest: str


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one file (or of one session of a table), for people and scripts."""

    file: str
    session: str | None
    accepted: int = 0
    rejected: int = 0
    events: int = 0
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the line as JSON types."""
        return asdict(self)


@task
def read_sessions(files: Iterable[InputFile], since: date, until: date) -> tuple[list[Session], list[Line]]:
    """Parse files into sessions, oldest first; what is no price file gets a line that says why."""
    found: list[Session] = []
    refused: list[Line] = []
    for file in files:
        try:
            found.extend(_sessions_of(file, since, until))
        except NotAPriceFileError as error:
            refused.append(Line(file.name, None, note=f"refused: {error}"))
    return sorted(found, key=lambda s: (s.day, s.source)), refused


def _sessions_of(file: InputFile, since: date, until: date) -> list[Session]:
    if file.name.endswith(".parquet"):
        days = read_table_parquet(file.content, file.name, since, until)
        return [Session(file.name, day, content, content_hash(content.rows)) for day, content in days]
    day = file_date(file.name)
    if day is None:
        message = f"{file.name} names no date: call it YYYY_MM_DD.csv"
        raise NotAPriceFileError(message)
    if not since <= day <= until:
        return []
    content = read_daily(file.content, file.name)
    return [Session(file.name, day, content, content_hash(content.rows))]


def unread(unreadable: list[Unreadable]) -> list[Line]:
    """Tell of places that can't be read in the same words as of files that are refused."""
    return [Line(one.place, None, note=f"refused: {one.why}") for one in unreadable]


def require_some(found: list[Session], refused: list[Line]) -> None:
    """Let a run fail whose files were all refused, so that its page shows it.

    Raises:
        RejectError: files were refused and no session is left.
    """
    if refused and not found:
        reasons = "; ".join(line.note.removeprefix("refused: ") for line in refused[:REASONS])
        more = f"; and {len(refused) - REASONS} more" if len(refused) > REASONS else ""
        message = f"nothing was ingested: {reasons}{more}"
        raise RejectError(message)


def ingest_all(loop: Loop, found: list[Session]) -> list[Line]:
    """Store and announce sessions in batches; one that is there already is skipped.

    Each batch is one transaction, after its objects are stored: an event never names an object that is not
    there. Raises like `Source.publish` and `Store.put_new`.
    """
    source = Source(loop.pool, PRODUCER)
    source.open()
    lines: list[Line] = []
    try:
        for start in range(0, len(found), BATCH):
            tell("sessions", start, len(found))
            lines += ingest_batch(loop, source, found[start : start + BATCH])
    finally:
        source.close()
    return lines


@task
def ingest_batch(loop: Loop, source: Source, found: list[Session]) -> list[Line]:
    """Store and announce one batch."""
    index = sessions(loop).refresh()
    fresh, lines = _without_repeats(index, found)
    announced = _announce(loop, index, fresh)
    loop.store.put_new_many(
        {event.payload.data_location: session_to_parquet(s.content.rows) for s, event in announced}
    )
    records = [record for session, event in announced for record in _records(session, event)]
    source.publish(records)
    return lines + [_line(session, event) for session, event in announced]


def _without_repeats(index: SessionIndex, found: list[Session]) -> tuple[list[Session], list[Line]]:
    """Leave out what repeats a session that is there, or an earlier one of the same batch."""
    fresh: dict[str, Session] = {}
    lines = []
    for session in found:
        held = index.repeated(session.digest)
        original = held.day if held else fresh[session.digest].day if session.digest in fresh else None
        if original:
            lines.append(Line(session.source, str(original), note=f"repeat of {original}, skipped"))
        else:
            fresh[session.digest] = session
    return list(fresh.values()), lines


def _announce(
    loop: Loop, index: SessionIndex, fresh: list[Session]
) -> list[tuple[Session, Event[DataIngested]]]:
    """Name the objects and build DataIngested; each session knows those before it in the batch."""
    return [(session, _ingested(loop, index, session, fresh[:n])) for n, session in enumerate(fresh)]


def _ingested(
    loop: Loop, index: SessionIndex, session: Session, before: list[Session]
) -> Event[DataIngested]:
    revision = len(index.revisions(session.day)) + sum(s.day == session.day for s in before)
    suffix = f".r{revision}" if revision else ""
    earlier = [index.previous(session.day), *(s.day for s in before if s.day < session.day)]
    payload = DataIngested(
        symbol=MARKET,
        date=session.day,
        data_location=f"s3://{loop.settings.raw_bucket}/{session.day}{suffix}.parquet",
        row_count=len(session.content.rows),
        content_hash=session.digest,
        revision=revision,
        rejected_rows=len(session.content.rejected),
        previous_date=max((day for day in earlier if day), default=None),
        source=session.source,
    )
    event_id = derive_id(PRODUCER, session.digest, f"{MARKET} {session.day}", revision)
    return _event(payload, event_id, event_id)


def _records(session: Session, event: Event[DataIngested]) -> list[Outgoing]:
    """DataIngested, and ActualAvailable for every symbol that traded."""
    day = event.payload
    records = [Outgoing("raw-data", MARKET.encode(), encode(event))]
    rows = session.content.rows
    for symbol, close in zip(rows["symbol"].tolist(), rows["close"].tolist(), strict=True):
        actual = ActualAvailable(
            symbol=symbol,
            date=day.date,
            actual_close=close,
            previous_date=day.previous_date,
            revision=day.revision,
        )
        event_id = derive_id(PRODUCER, event.id, symbol, day.revision)
        records.append(Outgoing("actuals", symbol.encode(), encode(_event(actual, event_id, event.id))))
    return records


def _event(payload: Any, event_id: str, correlation_id: str) -> Event[Any]:
    metadata = Metadata(event_id, correlation_id, payload.schema_version, None, CODE_VERSION)
    event: Event[Any] = Event(datetime.now(UTC), PRODUCER, payload, metadata)
    return event


def _line(session: Session, event: Event[DataIngested]) -> Line:
    rows = len(session.content.rows)
    note = f"revision {event.payload.revision}" if event.payload.revision else ""
    rejected = len(session.content.rejected)
    return Line(session.source, str(session.day), rows, rejected, events=rows + 1, note=note)
