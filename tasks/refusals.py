"""Which records of a flow are dead letters, as one of its slices has to see them."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from infra.bootstrap import Loop
from infra.database import refused
from infra.database.refused import Refused
from infra.kafka.letters import ids_from, resolved
from infra.kafka.records import Place
from infra.kafka.work import Work


class Refusals(NamedTuple):
    """Places of dead letters: `open` ones, of which nothing counts; and `ever`, with those found resolved.

    Of the latter those are left out that a slice before found resolved.
    """

    open: frozenset[Place] = frozenset()
    ever: frozenset[Place] = frozenset()


def refusals(loop: Loop, work: Work) -> Refusals:
    """Look up what was given up before this slice; the letters that are tried again with it are not open.

    Raises:
        TryAgainError: the database is away; or nobody knows yet whether a letter was committed.
    """
    every = loop.rehearses("redrives")
    return as_of(loop, work.run.flow, work.starts, work.letters, every=every)


def as_of(
    loop: Loop,
    flow: str,
    starts: Mapping[tuple[str, int], int],
    tried: Collection[str] = (),
    *,
    every: bool = False,
) -> Refusals:
    """Look up what a flow gave up below these offsets, all of which it has passed. Raises as `refusals`.

    Letters that are found resolved are noted so, and are looked up no more: unless `every` one is asked for,
    as by whoever reads the past, when they were still open.
    """
    found = refused.listed(loop.database, flow, starts, every=every)
    certain = [one for one in found if one.letters_from is None]
    passed = [one for one in found if one.letters_from is not None and _below(one.place, starts)]
    if passed:
        certain += _settled(loop, flow, passed)
    gone = resolved(loop.redrives, {one.letter_id for one in certain} - set(tried))
    if gone:
        refused.resolve(loop.database, flow, [one.place for one in certain if one.letter_id in gone])
    still_open = frozenset(one.place for one in certain if one.letter_id not in gone.union(tried))
    return Refusals(still_open, frozenset(one.place for one in certain))


def _below(place: Place, ends: Mapping[tuple[str, int], int]) -> bool:
    return place.offset < ends[place.topic, place.partition]


def _settled(loop: Loop, flow: str, passed: Iterable[Refused]) -> list[Refused]:
    """Find out whether letters were committed of which nobody lived to say so; returns those that were."""
    doubted = list(passed)
    there = ids_from(loop.settings, min(one.letters_from or 0 for one in doubted))
    certain = [one for one in doubted if one.letter_id in there]
    refused.confirm(loop.database, flow, {one.place: one.letter_id for one in certain})
    refused.withdraw(loop.database, flow, [one.place for one in doubted if one.letter_id not in there])
    return certain
