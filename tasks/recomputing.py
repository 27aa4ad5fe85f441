"""Sessions that a late, revised or retracted one touched are computed again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from typing import NamedTuple

from prefect import task

from events.payloads import FeaturesComputed, OffsetRange
from infra.bootstrap import Loop
from infra.kafka.blocks import Block, Blocks
from infra.kafka.slices import Slice
from infra.kafka.work import Work
from infra.progress import tell
from tasks.blocks import committed_blocks
from tasks.core.backfill import blocks_of
from tasks.core.grid import WINDOW
from tasks.core.influence import Touched, changed, left_of, touched, touches
from tasks.core.sessions import NOW
from tasks.sessions import Sessions, sessions
from tasks.throttle import LiveLag, Throttle
from tasks.vectors import cause_at, rows_as_of, vectors_as_of

FLOW = "recompute"


@task
def recompute_touched(loop: Loop, work: Work) -> list[date]:
    """Publish the vectors that a slice of raw-data changed, of sessions that were announced before.

    What fits into one block is the slice's own. More is published aside in blocks, as a backfill does: an
    attempt that is broken off leaves whole blocks, and the next one goes on behind them. They are computed as
    of now, not as of the slice's end: where history arrives after newer sessions, each slice of it touches
    the same ones, and the next slices find them done. A slice that is tried elsewhere (a replay, a dead
    letter) keeps all in itself.

    Returns:
        The sessions that were computed again, oldest first.
    """
    known, span = sessions(loop), work.ranges[0]
    known.refresh()
    if not touches(known.index, span.start - 1, span.end - 1, WINDOW):
        return []
    live = isinstance(work, Slice)
    with closing(Blocks(loop.pool, work.run)) as blocks, closing(LiveLag(loop.settings)) as lag:
        if live:
            blocks.open()  # before the ledger is read: from here on no predecessor publishes
        since = computed_since(committed_blocks(loop), span)
        found = _touched(known, span, since)
        parts = _parts(known, found)
        if live and len(parts) > 1:
            found, parts = _publish_aside(loop, Aside(blocks, Throttle(lag, lag.absent)), work, since), []
        for part in parts:
            _publish(loop, work, part, span.end - 1)
    return [one.day for one in found]


def _touched(known: Sessions, span: OffsetRange, since: Mapping[date, int]) -> list[Touched]:
    return touched(known.index, span.start - 1, span.end - 1, WINDOW, since)


def _parts(known: Sessions, found: Sequence[Touched]) -> list[list[Touched]]:
    """Cut into what one transaction can hold."""

    def rows(one: Touched) -> int | None:
        held = known.index.as_of(NOW, one.day)
        return held.rows if held else None

    return list(blocks_of(found, rows))


def computed_since(blocks: Sequence[Block], span: OffsetRange) -> dict[date, int]:
    """Tell as of which offset sessions were computed by attempts that were broken off, with any end."""
    found: dict[date, int] = {}
    for block in blocks:
        if block.publisher == FLOW and block.start <= span.start < block.end:
            found |= {day: max(found.get(day, -1), block.end - 1) for day in block.published}
    return found


class Aside(NamedTuple):
    """Where blocks are published, and what holds them up."""

    blocks: Blocks
    throttle: Throttle


def _publish_aside(loop: Loop, aside: Aside, work: Work, since: Mapping[date, int]) -> list[Touched]:
    """Publish as of now in blocks, each when the live loop has time; the slice keeps its dead letters."""
    known, mark = sessions(loop), len(work.outgoing)
    span = work.ranges[0].model_copy(update={"end": loop.live.raw_data.refresh()})
    known.refresh()
    found = _touched(known, span, since)
    parts = _parts(known, found)
    for number, part in enumerate(parts):
        counts = _publish(loop, work, part, span.end - 1)
        aside.throttle.pass_()
        tell("blocks of sessions", number, len(parts))
        sent = aside.blocks.publish(FLOW, span, work.outgoing[mark:], counts)
        del work.outgoing[mark:]
        work.count("out", -sent)
        work.count("blocks")
    return found


def _publish(loop: Loop, work: Work, part: Sequence[Touched], end: int) -> dict[date, int]:
    """Put what changed of some sessions as of `end` into the slice; returns how many vectors, by session."""
    known, counts = sessions(loop), dict[date, int]()
    days: dict[int, list[date]] = defaultdict(list)
    for one in part:
        days[one.before].append(one.day)
    then: dict[date, dict[str, FeaturesComputed]] = {}
    for before, some in days.items():
        then |= vectors_as_of(known, rows_as_of(loop, before, some), before)
    now = vectors_as_of(known, rows_as_of(loop, end, [one.day for one in part]), end)
    for one in part:
        left = left_of(then.get(one.day, {}), [known.symbols_of(held) for held in one.held])
        new = changed(left, now.get(one.day, {}), _value)
        cause = cause_at(loop, one.cause)
        for symbol, vector in new.items():
            work.publish("features", vector, cause, f"{symbol} {one.day}", vector.revision)
        counts[one.day] = len(new)
    return counts


def _value(vector: FeaturesComputed) -> object:
    """What a vector says; its revision is no part of it."""
    return vector.features, vector.last_close
