"""What askers look at before they ask for a retraining, and asking once per reason and day."""

from datetime import date, datetime
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.tasks import exponential_backoff

from events.envelope import derive_id
from events.payloads import DataIngested, ModelRetrainingTriggered
from infra.bootstrap import Loop
from infra.errors import OutcomeUnknownError, TryAgainError, UsageError
from infra.kafka.records import Received
from infra.kafka.source import Source
from infra.kafka.work import beginning, record_of
from tasks.core.calendar import EXCHANGE_TZ
from tasks.core.triggering import WEEKLY, Past, counted_from, nothing_new, points_due
from tasks.sessions import held_until, sessions

PRODUCER = "schedule-retraining"


def asked_and_trained(loop: Loop) -> Past:
    """Read what was asked for and what was trained, as this view of the world sees it."""
    training, models = loop.training, loop.models
    return Past.of(training.between(0, training.refresh()), models.between(0, models.refresh()))


def new_points(loop: Loop, past: Past, told: Received[DataIngested]) -> int | None:
    """Count the new sessions where the one that was just told makes them enough for a retraining."""
    if counted_from(past) is None:  # as while a history is loaded
        return None
    threshold, day = loop.settings.retrain_after_sessions, told.payload.date
    if day > datetime.now(EXCHANGE_TZ).date():  # no session yet: it would end the counting until then
        return None
    newest = sessions(loop).refresh().window(told.place.offset, day, threshold)
    return points_due(past, [held.day for held in newest], day, threshold)


def is_outage(_task: object, _run: object, state: State[Any]) -> bool:
    """Tell whether an asking that failed is worth another attempt: who asks twice asks once."""
    return isinstance(state.data, TryAgainError | OutcomeUnknownError)


@task(retries=6, retry_delay_seconds=exponential_backoff(30), retry_condition_fn=is_outage)
def ask(loop: Loop, reason: str, today: date) -> str:
    """Publish a request for the newest session that was held by today; returns what to tell.

    It is tried again for half an hour: the week would else have to wait for the next.

    Raises:
        UsageError: there is no session yet.
        TryAgainError: the broker is away.
    """
    held = held_until(loop, today)
    if not held:
        message = "there is no session yet: ingest prices first"
        raise UsageError(message)
    source = Source(loop.pool, PRODUCER)
    source.open()
    try:
        return _ask_once(loop, source, reason, held[-1], today)
    finally:
        source.close()


def _ask_once(loop: Loop, source: Source, reason: str, newest: date, today: date) -> str:
    event_id = derive_id(PRODUCER, f"{reason} {today}", loop.settings.model_name)
    past = asked_and_trained(loop)
    if loop.training.has(event_id):
        return f"{reason} was asked for on {today} already"
    if reason == WEEKLY and nothing_new(past, newest):
        return f"not asked for: no session came after {newest}, which a training has seen or will see"
    payload = ModelRetrainingTriggered(reason=reason, data_end_date=newest)
    metadata = beginning(payload, event_id)
    source.publish([record_of("training", PRODUCER, payload, metadata, loop.settings.model_name)])
    return f"asked for a retraining on data up to {newest}: {reason}"
