"""Computing past sessions again beside the live loop: block by block, what is missing or different."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from events.payloads import OffsetRange, Payload
from infra.bootstrap import Loop
from infra.errors import UsageError
from infra.kafka.blocks import Blocks
from infra.kafka.records import Cause, Outgoing, Run
from infra.kafka.work import following, record_of
from infra.progress import tell
from tasks.blocks import committed_blocks
from tasks.core.backfill import Plan, Request, cut, plan
from tasks.sessions import Sessions
from tasks.throttle import LiveLag, Throttle

PRODUCER = "backfill"
BLOCKS_A_SPAN = 18
"""Blocks that are computed together, 252 sessions: the window before them is read once for all."""

Show = Callable[[int, int, str], None]
"""Takes how many sessions are done, how many there are, and a sentence."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a session: how many events were computed, and those to publish."""

    computed: int
    topic: str
    missing: Sequence[tuple[Payload, Cause]]


class Maker(Protocol):
    """Computes the events of sessions anew, and tells which of them have to be published."""

    def prepare(self, made: Plan, /) -> None:
        """Take the plan; wait until what is there can be seen."""

    def begin(self, days: Sequence[date]) -> None:
        """Start to compute the sessions of several blocks, where that takes time."""

    def find(self, days: Sequence[date]) -> Mapping[date, Found]:
        """Find what is missing of the sessions of one block, which `begin` was told."""


@dataclass
class Report:
    """What a backfill did, by session: events computed and published."""

    plan: Plan
    computed: dict[date, int] = field(default_factory=dict)
    published: dict[date, int] = field(default_factory=dict)

    def add(self, found: Mapping[date, Found]) -> None:
        """Count a block."""
        self.computed |= {day: one.computed for day, one in found.items()}
        self.published |= {day: len(one.missing) for day, one in found.items()}

    def as_dict(self) -> dict[str, Any]:
        """Give the totals as JSON types."""
        return {
            "sessions": len(self.computed),
            "computed": sum(self.computed.values()),
            "published": sum(self.published.values()),
            "run": self.plan.publisher,
            "resumed": self.plan.resumes,
            "blocks_done_before": self.plan.done,
        }


def planned(loop: Loop, known: Sessions, request: Request) -> Plan:
    """Plan a run as of now, or what one that was broken off left.

    Raises:
        UsageError: no session between the two days was ingested.
        TryAgainError: the broker is away.
    """

    def days(end: int) -> dict[date, int | None]:
        alive = known.index.alive(end - 1)
        return {held.day: held.rows for held in alive if request.start <= held.day <= request.end}

    known.refresh()
    made = plan(request, loop.live.raw_data.refresh(), days, committed_blocks(loop))
    if not made.blocks:
        message = f"no session between {request.start} and {request.end} was ingested"
        raise UsageError(message)
    return made


def count_missing(made: Plan, maker: Maker, show: Show) -> Report:
    """Compute all blocks and publish nothing."""
    maker.prepare(made)
    report = Report(made)
    _each(made, maker, report, show, lambda _block, _found: None)
    return report


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes a plan's blocks, each whole and once."""

    blocks: Blocks
    throttle: Throttle
    plan: Plan

    def publish(self, block: Sequence[date], found: Mapping[date, Found]) -> None:
        """Commit a block when the live loop has time for it. Raises like `transact` and `Throttle.pass_`."""
        records = [
            record(self.plan.publisher, one.topic, payload, cause)
            for one in found.values()
            for payload, cause in one.missing
        ]
        if records:
            self.throttle.pass_()
        counts = {day: len(found[day].missing) if day in found else 0 for day in block}
        span = OffsetRange(topic="raw-data", partition=0, start=0, end=self.plan.end)
        self.blocks.publish(self.plan.publisher, span, records, counts)


def publish_missing(loop: Loop, blocks: Blocks, made: Plan, maker: Maker, show: Show) -> Report:
    """Publish what is missing, block by block; a block that was committed is never published again."""
    maker.prepare(made)
    report = Report(made)
    with closing(LiveLag(loop.settings)) as lag:
        publisher = Publisher(blocks, Throttle(lag, lag.absent), made)
        _each(made, maker, report, show, publisher.publish)
    return report


def _each(
    made: Plan,
    maker: Maker,
    report: Report,
    show: Show,
    finish: Callable[[Sequence[date], Mapping[date, Found]], None],
) -> None:
    """Compute span by span, the next one while the blocks of one are published."""
    spans = list(cut(made.blocks, BLOCKS_A_SPAN))
    days = [[day for block in span for day in block] for span in spans]
    maker.begin(days[0])
    for number, span in enumerate(spans):
        if number + 1 < len(spans):
            maker.begin(days[number + 1])
        for block in span:
            found = maker.find(block)
            finish(block, found)
            report.add(found)
            tell("sessions", len(report.computed), made.sessions)
            show(len(report.computed), made.sessions, f"up to {block[-1]}")


def record(publisher: str, topic: str, payload: Any, cause: Cause) -> Outgoing:
    """Make the record of an event; the same run makes the same id, another run of the request another one."""
    about = payload.as_of if topic == "predictions" else payload.date
    metadata = following(publisher, payload, cause, f"{payload.symbol} {about}", payload.revision)
    return record_of(topic, PRODUCER, payload, metadata)


def this_publisher(loop: Loop, run_id: str) -> Blocks:
    """Give the publisher of all backfills: one after the other."""
    return Blocks(loop.pool, Run(PRODUCER, run_id))
