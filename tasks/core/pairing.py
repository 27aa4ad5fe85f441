"""Which errors a partition's predictions and actuals have to have made, by the join's own rule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from events.envelope import derive_id
from tasks.core.accounting import Known
from tasks.core.census import Flags, Numbers, Places, code_of, kind_code, of_topic
from tasks.core.findings import Finding
from tasks.core.joining import Side, Spot, new_pairs

JOIN = "join-errors"
PREDICTIONS, ACTUALS, ERRORS = "predictions", "actuals", "errors"


@dataclass(frozen=True)
class Pairs:
    """The pairs of one partition: the hash of the error's id, and the offsets of both sides."""

    partition: int
    ids: Numbers
    predictions: Numbers
    actuals: Numbers


def pairs_of(partition: int, predictions: Iterable[Side[Any]], actuals: Iterable[Side[Any]]) -> Pairs:
    """Find every pair, symbol by symbol, and the id that its error has to have."""
    symbol = attrgetter("payload.symbol")
    sides = [*predictions, *actuals]
    sides.sort(key=symbol)
    rows: list[tuple[int, int, int]] = []
    for _, group in groupby(sides, key=symbol):
        here = list(group)
        found = new_pairs(
            [s for s in here if s.place.topic == PREDICTIONS],
            [s for s in here if s.place.topic == ACTUALS],
            _anywhere,
        )
        for prediction, actual in found:
            revision = prediction.payload.revision + actual.payload.revision
            name = derive_id(JOIN, actual.id, prediction.id, revision)
            rows.append((hash(name), prediction.place.offset, actual.place.offset))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Pairs(partition, *columns)


def _anywhere(_: Spot) -> bool:
    return True


def match(pairs: Pairs, errors: Numbers, committed: Mapping[str, int], known: Known) -> None:
    """Note in `known` which offsets are joined, and which should be: both sides below the committed ones."""
    there = np.isin(pairs.ids, errors)
    settled = (pairs.predictions < committed[PREDICTIONS]) & (pairs.actuals < committed[ACTUALS])
    for topic, offsets in ((PREDICTIONS, pairs.predictions), (ACTUALS, pairs.actuals)):
        known.joined[topic, pairs.partition] = set(offsets[there].tolist())
        known.unjoined[topic, pairs.partition] = set(offsets[settled & ~there].tolist())


def error_ids(places: Places) -> Numbers:
    """Gather the id hashes of all errors that are no later delivery in a wrong partition."""
    kind = kind_code("ErrorComputed")
    return np.concatenate([census.ids[census.kinds == kind] for _, census in of_topic(places, ERRORS)])


def unexpected(
    places: Places, pairs: Iterable[Pairs], ends: Mapping[tuple[str, int], int], flows: tuple[str, ...]
) -> list[Finding]:
    """Find errors below `ends` that the join says it made, though no pair makes them."""
    possible = np.concatenate([np.zeros(0, np.int64), *(p.ids for p in pairs)])
    found = []
    for partition, census in of_topic(places, ERRORS):
        made: Flags = (census.kinds == kind_code("ErrorComputed")) & (
            census.producers == code_of(JOIN, flows)
        )
        made &= (census.cause_offsets >= 0) & (census.offsets < ends[ERRORS, partition])
        strange = census.offsets[made & ~np.isin(census.ids, possible)]
        found += [
            Finding("unexpected", f"{ERRORS}-{partition}", f"no prediction and actual make the error at {at}")
            for at in strange
        ]
    return found
