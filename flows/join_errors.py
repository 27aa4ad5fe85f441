"""Step 4: predictions and actuals meet, in any order, and become errors."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import OffsetRange
from infra.bootstrap import Loop
from infra.kafka.work import Work
from tasks.core.joining import error_of, expired
from tasks.join_slice import JoinSlice, joinable
from tasks.joins import Met, meet
from tasks.refusals import refusals
from tasks.work import Account, process


@flow(name="join-errors")
def join_errors(slices: list[OffsetRange]) -> State[Any]:
    """Publish ErrorComputed for every pair of which one side lies in the slices (one partition of each).

    A prediction that no actual met within `NEPSE_EXPIRE_AFTER_SESSIONS` sessions becomes PredictionExpired.
    """
    return process("join-errors", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Remember both sides, publish the error of every pair that is new, and what has expired unmet."""
    sessions = loop.settings.expire_after_sessions
    joined = JoinSlice(joinable(work), work.starts, work.ends, refusals(loop, work), work.passed)
    publish(work, joined, meet(loop.database, joined, sessions), sessions)
    return Account()


def publish(work: Work, joined: JoinSlice, met: Met, sessions: int) -> None:
    """Publish what followed, and count it."""
    for prediction, actual in met.pairs:
        error = error_of(prediction, actual)
        work.publish("errors", error, actual, prediction.id, error.revision)
    for prediction in met.expired:
        work.publish("errors", expired(prediction, sessions), prediction, "expired")
    work.count("predictions", len(joined.predictions))
    work.count("actuals", len(joined.actuals))
    if met.expired:
        work.count("expired", len(met.expired))
