"""Step 7: a retraining is asked for every week, and after every so many new sessions."""

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from events.payloads import DataIngested, ModelRetrainingTriggered, OffsetRange
from infra.bootstrap import Loop, connect
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.core.scheduling import due
from tasks.deliveries import read_once
from tasks.triggers import ask, known_sessions, requests
from tasks.work import Account, name_run, process


@flow(name="schedule-retraining")
def schedule_retraining(
    slices: list[OffsetRange] | None = None, reason: str = "weekly_schedule"
) -> State[Any]:
    """Count the sessions of the slices towards the next request; without slices, ask now for `reason`.

    The weekly schedule runs it without slices. Asking twice on one day for one reason asks once.
    """
    if slices:
        return process("schedule-retraining", slices, steps)
    name_run(f"schedule-retraining {reason}")
    told = ask(connect(), reason, datetime.now(UTC).date())
    return Completed(message=told)


def steps(loop: Loop, work: Work) -> Account:
    """Count the sessions of the slice; ask for a retraining where enough have come."""
    ingested = of_kind(read_once(loop, work), DataIngested)
    asked = requests(loop)
    for record in ingested if asked else []:
        days = known_sessions(loop, record.place.offset)
        count = due(days, asked, record.payload.date, loop.settings.retrain_after_sessions)
        if count:
            detail = f"{count} sessions since the last request"
            day = record.payload.date
            trigger = ModelRetrainingTriggered(reason="new_data_points", data_end_date=day, detail=detail)
            work.publish("training", trigger, record, trigger.reason)
            asked.append(day)
    return Account(f"{len(ingested)} sessions counted")
