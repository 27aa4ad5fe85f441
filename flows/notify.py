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
from tasks.notifying import deliver, enqueue
from tasks.work import Account, process


@flow(name="notify")
def notify(slices: list[OffsetRange]) -> State[Any]:
    """Note whom the alerts of the slices are to be told, and tell what is due."""
    return process("notify", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Note the news of the slice; what can't be delivered now stays noted, and holds nothing up."""
    noted = enqueue(loop, read_once(loop, work), datetime.now(UTC))
    if not noted:
        return Account("nothing to tell")
    found = deliver(loop)
    work.count("noted", len(noted))
    work.count("messages", found.told)
    return Account(f"{len(noted)} alerts noted", markdown=f"```\n{digest(noted)}\n```")
