"""Steps of a plan become objects in the store and records of raw-data and actuals."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pandas as pd

from events.envelope import derive_id
from events.payloads import ActualAvailable, DataIngested, DataRetracted, Payload
from infra.bootstrap import Loop
from infra.kafka.records import Outgoing
from infra.kafka.work import beginning, record_of
from infra.store import to_parquet
from tasks.core.adjustments import session_adjustments
from tasks.core.announcing import Announce, Retract, Step
from tasks.core.layout import counts, quarantine_frame
from tasks.core.prices import session_to_parquet
from tasks.core.sessions import Held
from tasks.core.symbols import MARKET
from tasks.quarantine import quarantine

PRODUCER = "ingest"

ADJUSTMENTS = "adjustments/"
"""Folder of the raw bucket: for each session that has any a table of factors, their kinds and evidence."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one step."""

    said: DataIngested | DataRetracted
    records: list[Outgoing]

    def done(self) -> "Done":
        """Keep what is asked for once the records are published: those of years would fill the memory."""
        return Done(self.said, len(self.records))


@dataclass(frozen=True, slots=True)
class Done:
    """What was told of one step, in how many events."""

    said: DataIngested | DataRetracted
    events: int


def store_and_tell(loop: Loop, batch: list[Step]) -> list[Told]:
    """Store the objects of a batch, then build its records. Raises like `Store.put_new`."""
    found = {step: adjustments(step) for step in batch if isinstance(step, Announce)}
    fresh = {_name(loop, step): session_to_parquet(step.claim.rows()) for step in found if not step.relinked}
    adjusted = {step: frame for step, frame in found.items() if not frame.empty}
    aside = {_name(loop, step, ADJUSTMENTS): to_parquet(frame) for step, frame in adjusted.items()}
    locations = loop.store.put_beside_many(fresh | aside)
    return [
        _retracted(step)
        if isinstance(step, Retract)
        else _announced(loop, step, locations.get(_name(loop, step), ""), found[step])
        for step in batch
    ]


def _name(loop: Loop, step: Announce, folder: str = "") -> str:
    suffix = f".r{step.revision}" if step.revision else ""
    return f"s3://{loop.settings.raw_bucket}/{folder}{step.day}{suffix}.parquet"


def _retracted(step: Retract) -> Told:
    """DataRetracted of each revision, the newest last, and the actuals of the session taken back."""
    held = step.held
    earlier = [_record("raw-data", *_gone(one, step.repeats)) for one in step.behind]
    said, event_id, _ = _gone(held, step.repeats)
    told = held.said.previous_date if held.said else None
    actuals = _actuals(event_id, step.claim.rows(), held.day, told, step.revision, retracted=True)
    return Told(said, [*earlier, _record("raw-data", said, event_id, event_id), *actuals])


def _gone(held: Held, repeats: date) -> tuple[DataRetracted, str, str]:
    """Say that an object is no session of its day; with the event's id, and its correlation's."""
    said = DataRetracted(
        symbol=MARKET,
        date=held.day,
        data_location=held.location,
        reason=f"its rows are those of session {repeats}",
        repeats=repeats,
    )
    event_id = derive_id(PRODUCER, held.event_id or held.location, "retracted")
    return said, event_id, event_id


def _announced(loop: Loop, step: Announce, location: str, adjusted: pd.DataFrame) -> Told:
    """DataIngested, and ActualAvailable for every symbol that traded; first what no longer holds."""
    factors = dict(zip(adjusted["symbol"].tolist(), adjusted["factor"].tolist(), strict=True))
    said = _relinked(step, factors) if step.relinked else _ingested(loop, step, location, factors)
    event_id = derive_id(PRODUCER, step.claim.digest, f"{MARKET} {step.day}", step.revision)
    records = [_record("raw-data", said, event_id, event_id)]
    if step.taken_back is not None:
        told = step.instead.said.previous_date if step.instead and step.instead.said else None
        records += _actuals(event_id, step.taken_back, step.day, told, step.revision - 1, retracted=True)
    records += _actuals(event_id, step.claim.rows(), step.day, step.previous, step.revision)
    return Told(said, records)


def _relinked(step: Announce, factors: dict[str, float]) -> DataIngested:
    """Say again what was said of a session, but for the session before it."""
    if step.instead is None or step.instead.said is None:
        message = f"nothing was told of session {step.day} that could be corrected"
        raise ValueError(message)
    changes = {"revision": step.revision, "previous_date": step.previous, "adjustments": factors}
    return step.instead.said.model_copy(update=changes)


def adjustments(step: Announce) -> pd.DataFrame:
    """Find what has to be known to compare the session with those before it; see `session_adjustments`."""
    return session_adjustments([claim.rows() for claim in step.history], step.claim.rows(), step.day)


def _ingested(loop: Loop, step: Announce, location: str, factors: dict[str, float]) -> DataIngested:
    file = step.claim.file
    reasons = dict(counts(file)) if file else {}
    return DataIngested(
        symbol=MARKET,
        date=step.day,
        data_location=location,
        row_count=len(step.claim.rows()),
        content_hash=step.claim.digest,
        revision=step.revision,
        rejected_rows=sum(reasons.values()),
        previous_date=step.previous,
        source=step.claim.source,
        named=step.claim.named,
        dated=step.claim.dated,
        rejected_by=reasons,
        doubled_rows=file.doubled if file else 0,
        quarantine=quarantine(loop, step.day, quarantine_frame(file)) if file else None,
        adjustments=factors,
    )


def _actuals(  # noqa: PLR0913  (the parts of one event)
    origin: str,
    rows: pd.DataFrame,
    day: date,
    previous: date | None,
    revision: int,
    *,
    retracted: bool = False,
) -> Iterator[Outgoing]:
    for symbol, close in zip(rows["symbol"].tolist(), rows["close"].tolist(), strict=True):
        actual = ActualAvailable(
            symbol=symbol,
            date=day,
            actual_close=close,
            previous_date=previous,
            revision=revision,
            retracted=retracted,
        )
        yield _record("actuals", actual, derive_id(PRODUCER, origin, symbol, revision), origin)


def _record(topic: str, payload: Payload, event_id: str, correlation_id: str) -> Outgoing:
    return record_of(topic, PRODUCER, payload, beginning(payload, event_id, correlation_id))
