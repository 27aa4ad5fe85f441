"""Asking for a retraining, once per reason and day."""

from datetime import date

from events.envelope import derive_id
from events.payloads import ModelRetrainingTriggered
from infra.bootstrap import Loop
from infra.errors import UsageError
from infra.kafka.records import of_kind
from infra.kafka.source import Source
from infra.kafka.work import beginning, record_of
from tasks.sessions import sessions

PRODUCER = "schedule-retraining"


def requests(loop: Loop) -> list[date]:
    """List the data_end_date of every request that is on the training topic."""
    entries = loop.training.between(0, loop.training.refresh())
    return [r.payload.data_end_date for r in of_kind(entries, ModelRetrainingTriggered)]


def known_sessions(loop: Loop, offset: int) -> list[date]:
    """List the sessions that were known at an offset of raw-data, newest 1000."""
    index = sessions(loop).refresh()
    newest = index.days[-1] if index.days else date.min
    return [held.day for held in index.window(offset, newest, 1_000)]


def ask(loop: Loop, reason: str, today: date) -> str:
    """Publish a request for the newest session there is; returns what to tell.

    Raises:
        UsageError: there is no session yet.
    """
    index = sessions(loop).refresh()
    if not index.days:
        message = "there is no session yet: ingest prices first"
        raise UsageError(message)
    source = Source(loop.pool, PRODUCER)
    source.open()
    try:
        return _ask_once(loop, source, reason, index.days[-1], today)
    finally:
        source.close()


def _ask_once(loop: Loop, source: Source, reason: str, newest: date, today: date) -> str:
    event_id = derive_id(PRODUCER, f"{reason} {today}", loop.settings.model_name)
    loop.training.refresh()
    if loop.training.has(event_id):
        return f"{reason} was asked for on {today} already"
    payload = ModelRetrainingTriggered(reason=reason, data_end_date=newest)
    metadata = beginning(payload, event_id)
    source.publish([record_of("training", PRODUCER, payload, metadata, loop.settings.model_name)])
    return f"asked for a retraining on data up to {newest}: {reason}"
