"""Step 6: alerts go to the channels, at least once, one message a slice."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import OffsetRange
from infra.alerts import deliver
from infra.bootstrap import Loop
from infra.kafka.records import ranges_label
from infra.kafka.work import Work
from tasks.core.digest import digest, worth_telling
from tasks.deliveries import read_once
from tasks.work import Account, process


@flow(name="notify")
def notify(slices: list[OffsetRange]) -> State[Any]:
    """Tell every channel what was raised and resolved, grouped by rule."""
    return process("notify", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Deliver one message for the slice."""
    news = [r.payload for r in read_once(loop, work) if worth_telling(r.payload)]
    if not news:
        return Account("nothing to tell")
    text = digest(news)
    reached = deliver(loop.settings, ranges_label(work.ranges), text)
    work.count("channels", reached)
    return Account(f"{len(news)} alerts told", markdown=f"```\n{text}\n```")
