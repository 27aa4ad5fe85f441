"""Step 2 again: what a late, revised or retracted session changed in the sessions that look back on it."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import OffsetRange
from infra.bootstrap import Loop
from infra.kafka.work import Work
from tasks.core.features import FEATURE_SET
from tasks.recomputing import recompute_touched
from tasks.work import Account, process


@flow(name="recompute")
def recompute(slices: list[OffsetRange]) -> State[Any]:
    """Publish FeaturesComputed for every session that the slices touched and that was announced before."""
    return process("recompute", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Read the slice, and publish what it changed; a session that came in its order changed nothing."""
    work.read()
    days = recompute_touched(loop, work)
    work.count("sessions", len(days))
    told = f"{len(days)} sessions touched, {days[0]} to {days[-1]}" if days else "no session touched"
    return Account(told, feature_set=FEATURE_SET)
