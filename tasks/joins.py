"""The join's memory in Postgres: append what a slice read, find what it meets and what has expired."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache, partial
from operator import itemgetter
from typing import NamedTuple

from kafka import KafkaConsumer
from prefect import task
from sqlalchemy import Connection, Engine

from events.payloads import OffsetRange
from infra.bootstrap import Loop
from infra.database import join_expiry, join_memory, join_reach, refused
from infra.database.connection import transaction
from infra.database.join_memory import FLOW, LeftOut, Row, Span
from infra.faults import reach
from infra.kafka.letters import read_letters
from infra.kafka.reading import committed, read_bounded
from infra.kafka.records import Run
from infra.kafka.work import Work
from tasks.core.expiry import ExpiryPoints, unmet
from tasks.core.joining import ActualSide, Pair, PredictionSide, first_of_each, first_seen, new_pairs
from tasks.join_slice import TOPICS, JoinSlice, joinable
from tasks.refusals import Refusals, as_of

__all__ = ["FLOW", "Met", "meet", "refill"]


class Sides(NamedTuple):
    """A slice's sides that are the first of their ids, and ids of rows that have to be there from then on."""

    predictions: list[PredictionSide]
    actuals: list[ActualSide]
    witnesses: dict[str, str]


class Met(NamedTuple):
    """What follows from a slice: pairs that are new, and predictions that have now expired unmet."""

    pairs: list[Pair]
    expired: list[PredictionSide]


@task
def meet(database: Engine, work: JoinSlice, expire_after: int) -> Met:
    """Remember this slice's records; find every pair with one side among them, and what has expired.

    A prediction expires when `expire_after` later sessions have appeared before an actual of its own did.

    Raises:
        StopError: the memory does not reach up to this slice, so pairs would be missed.
        TryAgainError: the database is away.
    """
    with transaction(database) as connection:
        join_reach.require(connection, work.span, work.left_out)
        sides = _fresh(connection, work)
        pairs = cache(partial(_pairs, work.span, sides, _older(connection, work, sides)))
        _append(connection, work, sides, meanwhile=pairs)
        join_reach.reach(connection, work.span, sides.witnesses)
        own = Own(sides.predictions, pairs(), work.left_out)
        expired = _expired(connection, work.span, own, expire_after)
    reach("state-written", FLOW)
    return Met(pairs(), expired)


class Older(NamedTuple):
    """Rows from before a slice that its sides may meet, in any order: an event may have several."""

    predictions: list[Row]
    actuals: list[Row]


def _older(connection: Connection, work: JoinSlice, sides: Sides) -> Older:
    """Look up what a slice may meet; what it appends itself lies beyond."""
    older = partial(join_memory.older, connection, work.span, left_out=work.left_out)
    met_by_actuals = [(a.symbol, a.date, a.previous_date) for a in sides.actuals]
    met_by_predictions = [(p.symbol, p.date, p.as_of) for p in sides.predictions]
    return Older(older("predictions", met_by_actuals), older("actuals", met_by_predictions))


def _pairs(span: Span, sides: Sides, older: Older) -> list[Pair]:
    """Find the pairs that are new with a slice."""
    by_offset = partial(sorted, key=itemgetter(1))
    waiting = first_of_each(map(PredictionSide._make, by_offset(older.predictions)))
    known = first_of_each(map(ActualSide._make, by_offset(older.actuals)))
    starts = span.predictions[0], span.actuals[0]
    return new_pairs([*waiting, *sides.predictions], [*known, *sides.actuals], starts)


def refill(loop: Loop) -> dict[str, int]:
    """Read both topics up to where the join stands and remember what is missing; returns records by topic.

    For a memory that was lost. Nothing is published; it may be broken off and begun again.

    Raises:
        StopError: offsets are gone, the group's or a topic's first ones.
        TryAgainError: the broker or the database is away.
    """
    done = dict.fromkeys(TOPICS, 0)
    letters = {letter.place: letter.id for letter in read_letters(loop.settings) if letter.flow == FLOW}
    refused.confirm(loop.database, FLOW, letters)
    with loop.pool.reader(FLOW) as reader:
        for number in range(loop.settings.partitions):
            nothing = [OffsetRange(topic=t, partition=number, start=0, end=0) for t in TOPICS]
            ends = {spot.topic: end for spot, end in committed(reader, nothing).items()}
            refusals = as_of(loop, FLOW, {(topic, number): end for topic, end in ends.items()}, every=True)
            counts = _refill_partition(loop, reader, Past(number, ends, refusals))
            done = {topic: done[topic] + counts[topic] for topic in TOPICS}
    return done


class Past(NamedTuple):
    """A partition's history: up to where it goes, and which of its records were refused."""

    number: int
    ends: dict[str, int]
    refusals: Refusals


def _refill_partition(loop: Loop, reader: KafkaConsumer, past: Past) -> dict[str, int]:
    """Remember a partition's history; only when it is whole may the join go on from there."""
    number, ends = past.number, past.ends
    counts, last = dict.fromkeys(TOPICS, 0), dict[str, str]()
    for work in _history(loop, reader, past):
        with transaction(loop.database) as connection:
            sides = _fresh(connection, work)
            _append(connection, work, sides)
            last |= sides.witnesses
        counts["predictions"] += len(work.predictions)
        counts["actuals"] += len(work.actuals)
    with transaction(loop.database) as connection:
        if any(at < ends[topic] for topic, at in join_reach.reached(connection, number).items()):
            join_reach.forget_reach(connection, number)
        join_reach.reach(connection, Span(number, (0, ends["predictions"]), (0, ends["actuals"])), last)
    return counts


def _history(loop: Loop, reader: KafkaConsumer, past: Past) -> Iterator[JoinSlice]:
    """Read a partition of both topics from the beginning, slice by slice, without what does not count."""
    number, ends = past.number, past.ends
    read = partial(read_bounded, reader, loop.settings.slice_bytes)
    at = dict.fromkeys(TOPICS, 0)
    while at != ends:
        until = {topic: min(ends[topic], at[topic] + loop.settings.slice_records) for topic in TOPICS}
        ranges = [OffsetRange(topic=t, partition=number, start=at[t], end=until[t]) for t in TOPICS]
        work = Work(loop.settings, Run(FLOW, "refill"), ranges, read)
        received = [one for one in joinable(work) if one.place not in past.refusals.open]
        yield JoinSlice(received, work.starts, work.ends, past.refusals)
        at = {topic: end for (topic, _), end in work.ends.items()}


def _fresh(connection: Connection, work: JoinSlice) -> Sides:
    """Pick the sides that are the first of their id.

    A dead letter that is tried again, long after its place, is no witness: a witness has to have a session.
    """
    repeated = partial(join_memory.repeated, connection, work.span.partition, left_out=work.left_out)
    predictions, actuals = first_of_each(work.predictions), first_of_each(work.actuals)
    before = repeated(join_memory.Sides("predictions", predictions, work.passed["predictions"]))
    predictions = [p for p in predictions if p.id not in before]
    before = repeated(join_memory.Sides("actuals", actuals, work.passed["actuals"]))
    actuals = [a for a in actuals if a.id not in before]
    in_place = _in_place(work, actuals)
    counted: dict[str, list[PredictionSide] | list[ActualSide]]
    counted = {"predictions": predictions, "actuals": in_place}
    return Sides(predictions, actuals, {topic: found[-1].id for topic, found in counted.items() if found})


def _in_place(work: JoinSlice, actuals: list[ActualSide]) -> list[ActualSide]:
    """Leave out the letters that are tried again."""
    return [a for a in actuals if a.offset not in work.left_out.ever_actuals]


def _append(
    connection: Connection, work: JoinSlice, sides: Sides, meanwhile: Callable[[], object] = tuple
) -> None:
    """Append both sides; `meanwhile` is for while the server is busy with the actuals, if there are any.

    No session appears by a letter that is tried again: that would move the points at which predictions
    expired.
    """
    join_memory.append(connection, "predictions", sides.predictions)
    join_memory.append(connection, "actuals", sides.actuals, meanwhile)
    sessions = first_seen(_in_place(work, sides.actuals))
    join_memory.appear(connection, work.span.partition, sessions, work.left_out.ever_actuals)


class Own(NamedTuple):
    """What a slice has found so far: its own predictions, the pairs; and what does not count."""

    predictions: list[PredictionSide]
    pairs: list[Pair]
    left_out: LeftOut


def _expired(connection: Connection, span: Span, found: Own, expire_after: int) -> list[PredictionSide]:
    """Find what expires by this slice: predictions in it that came late, and older ones by new sessions.

    The newer the session, the later its predictions expire. So those that expire inside the slice are of the
    sessions between two horizons: of one session, when one has appeared.
    """
    since, until = join_expiry.horizons(connection, span, expire_after, found.left_out)
    if until is None:
        return []
    own = [p for p in found.predictions if p.date < until]
    since = since or date.min
    if since == until and not own:
        return []
    oldest = min([since, *(p.date for p in own)])
    sessions = join_expiry.sessions_after(connection, span, oldest, found.left_out)
    points = ExpiryPoints(sessions, expire_after)
    steps = points.steps(since, until)
    older = join_expiry.unmet(connection, span, steps, found.left_out) if steps else []
    return [*first_of_each(map(PredictionSide._make, older)), *unmet(own, found.pairs, points)]
