"""Step 4: predictions and actuals meet, in any order, and become errors."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import ActualAvailable, OffsetRange, PredictionMade
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.core.joining import error_of
from tasks.joins import JoinSlice, meet
from tasks.work import Account, process


@flow(name="join-errors")
def join_errors(slices: list[OffsetRange]) -> State[Any]:
    """Publish ErrorComputed for every pair of which one side lies in the slices (one partition of each)."""
    return process("join-errors", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Remember both sides, and publish the error of every pair that is new."""
    received = work.read()
    predictions, actuals = of_kind(received, PredictionMade), of_kind(received, ActualAvailable)
    bounds = work.starts, work.ends
    pairs = meet(loop.database, JoinSlice(predictions, actuals, *bounds))
    for prediction, actual in pairs:
        error = error_of(prediction.payload, actual.payload)
        work.publish("errors", error, actual, prediction.id, error.revision)
    work.count("predictions", len(predictions))
    work.count("actuals", len(actuals))
    return Account()
