"""Step 6: people are told of alerts, at least once, in few messages."""

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import OffsetRange
from infra.bootstrap import Loop
from infra.kafka.work import Work
from tasks.core.digest import digest
from tasks.deliveries import read_once
from tasks.notifying import enqueue
from tasks.work import Account, process


@flow(name="notify")
def notify(slices: list[OffsetRange]) -> State[Any]:
    """Note whom the alerts of the slices are to be told; `watch` delivers what is noted."""
    return process("notify", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Note the news of the slice; no channel is asked, so that none holds a slice up."""
    noted = enqueue(loop, read_once(loop, work), datetime.now(UTC))
    if not noted:
        return Account("nothing to tell")
    work.count("noted", len(noted))
    return Account(f"{len(noted)} alerts noted", markdown=f"```\n{digest(noted)}\n```")
