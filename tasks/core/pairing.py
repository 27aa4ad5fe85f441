"""Which errors a partition's predictions and actuals have to have made, by the join's own rule."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from events.envelope import derive_id
from tasks.core.accounting import Known
from tasks.core.census import (
    LETTER,
    TOPIC_NAMES,
    Flags,
    Numbers,
    Places,
    code_of,
    kind_code,
    of_topic,
)
from tasks.core.findings import Finding
from tasks.core.joining import ActualSide, PredictionSide, first_of_each, new_pairs

JOIN = "join-errors"
PREDICTIONS, ACTUALS, ERRORS, LETTERS = "predictions", "actuals", "errors", "dead-letters"


@dataclass(frozen=True)
class Pairs:
    """The pairs of one partition: the hash of the error's id, and the offsets of both sides."""

    partition: int
    ids: Numbers
    predictions: Numbers
    actuals: Numbers


def pairs_of(partition: int, predictions: Iterable[PredictionSide], actuals: Iterable[ActualSide]) -> Pairs:
    """Find every pair, and the id that its error has to have; sides come in the order of their offsets."""
    rows: list[tuple[int, int, int]] = []
    for prediction, actual in new_pairs(first_of_each(predictions), first_of_each(actuals), (0, 0)):
        revision = prediction.revision + actual.revision
        name = derive_id(JOIN, actual.id, prediction.id, revision)
        rows.append((hash(name), prediction.offset, actual.offset))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Pairs(partition, *columns)


def match(
    pairs: Pairs, errors: Numbers, committed: Mapping[str, int], refused: Mapping[str, Numbers], known: Known
) -> None:
    """Note in `known` which offsets are joined, and which should be.

    Owed is the error of two sides below the committed offsets, of which the join refused neither.
    """
    there = np.isin(pairs.ids, errors)
    owed = ~there
    for topic, offsets in ((PREDICTIONS, pairs.predictions), (ACTUALS, pairs.actuals)):
        owed &= (offsets < committed[topic]) & ~np.isin(offsets, refused[topic])
    for topic, offsets in ((PREDICTIONS, pairs.predictions), (ACTUALS, pairs.actuals)):
        known.joined[topic, pairs.partition] = set(offsets[there].tolist())
        known.unjoined[topic, pairs.partition] = set(offsets[owed].tolist())


def refused(places: Places, partition: int, known: Known) -> dict[str, Numbers]:
    """List the offsets of both sides in a partition that are the join's dead letters, not resolved since."""
    ((_, letters),) = of_topic(places, LETTERS)
    chosen = (letters.kinds == LETTER) & (letters.producers == code_of(JOIN, known.flows))
    chosen &= (letters.cause_partitions == partition) & ~np.isin(letters.ids, list(known.resolved))
    return {
        topic: letters.cause_offsets[chosen & (letters.cause_topics == code_of(topic, TOPIC_NAMES))]
        for topic in (PREDICTIONS, ACTUALS)
    }


def error_ids(places: Places) -> Numbers:
    """Gather the id hashes of all errors that are no later delivery in a wrong partition."""
    kind = kind_code("ErrorComputed")
    return np.concatenate([census.ids[census.kinds == kind] for _, census in of_topic(places, ERRORS)])


def unexpected(
    places: Places, pairs: Iterable[Pairs], ends: Mapping[tuple[str, int], int], known: Known
) -> list[Finding]:
    """Find errors below `ends` that the join says it made, though no pair makes them."""
    possible = np.concatenate([np.zeros(0, np.int64), *(p.ids for p in pairs)])
    found = []
    for partition, census in of_topic(places, ERRORS):
        made: Flags = (census.kinds == kind_code("ErrorComputed")) & (
            census.producers == code_of(JOIN, known.flows)
        )
        made &= (census.cause_offsets >= 0) & (census.offsets < ends[ERRORS, partition])
        made &= ~known.corrected((ERRORS, partition), census)
        strange = census.offsets[made & ~np.isin(census.ids, possible)]
        found += [
            Finding("unexpected", f"{ERRORS}-{partition}", f"no prediction and actual make the error at {at}")
            for at in strange
        ]
    return found
