"""Step 7: a retraining is asked for every week, and after every so many new sessions."""

from datetime import UTC, date, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from events.payloads import DataIngested, ModelRetrainingTriggered, OffsetRange
from infra.bootstrap import Loop, connect
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.core.triggering import NEW_DATA_POINTS, WEEKLY
from tasks.deliveries import read_once
from tasks.triggers import ask, asked_and_trained, new_points
from tasks.work import Account, name_run, process


@flow(name="schedule-retraining")
def schedule_retraining(slices: list[OffsetRange] | None = None, reason: str = WEEKLY) -> State[Any]:
    """Count the sessions of the slices towards the next request; without slices, ask now for `reason`.

    The weekly schedule runs it without slices. Asking twice on one day for one reason asks once;
    the schedule asks for nothing where no session came since the newest training.
    """
    if slices:
        return process("schedule-retraining", slices, steps)
    name_run(f"schedule-retraining {reason}")
    told = ask(connect(), reason, datetime.now(UTC).date())
    return Completed(message=told)


def steps(loop: Loop, work: Work) -> Account:
    """Count the sessions of the slice; ask for a retraining where enough have come."""
    ingested = of_kind(read_once(loop, work), DataIngested)
    past = asked_and_trained(loop)
    for record in ingested:
        count = new_points(loop, past, record)
        if count:
            trigger = _request(count, record.payload.date, loop.settings.retrain_after_sessions)
            past = past.and_asked(work.publish("training", trigger, record, trigger.reason), trigger)
    return Account(f"{len(ingested)} sessions counted")


def _request(count: int, day: date, threshold: int) -> ModelRetrainingTriggered:
    return ModelRetrainingTriggered(
        reason=NEW_DATA_POINTS,
        data_end_date=day,
        detail=f"{count} new sessions",
        statistic=count,
        threshold=threshold,
    )
