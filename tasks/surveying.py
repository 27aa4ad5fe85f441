"""Reading all topics once for a reconciliation: columns, ledger, pairs; never a topic's records at once."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from events.envelope import Event
from events.payloads import (
    ActualAvailable,
    LetterResolved,
    ModelTrained,
    OffsetRange,
    Payload,
    PredictionExpired,
    PredictionMade,
    SliceCommitted,
)
from events.topics import DAY_MS, TOPICS
from infra.errors import StopError
from infra.kafka import scanning
from infra.kafka.bounded import answered
from infra.kafka.ledger import REPLAYS, is_live
from infra.kafka.reading import committed
from infra.kafka.records import partition_of
from infra.kafka.scanning import Offsets
from infra.progress import tell
from infra.settings import Settings
from infra.wiring import Route, routes
from tasks.core.accounting import Known
from tasks.core.census import Places, Source, Tally, repeats
from tasks.core.findings import Finding
from tasks.core.joining import ActualSide, PredictionSide, side_of_actual, side_of_prediction
from tasks.core.pairing import ACTUALS, JOIN, PREDICTIONS, Pairs, error_ids, match, pairs_of, refused
from tasks.core.projection import LETTERS, Record, event_of
from tasks.core.tiling import Progress, Tile

FLOWS = tuple(sorted({route.flow for route in routes()}))
LETTERS_ONCE_KEPT_MS = 90 * DAY_MS
"""How long letters were kept before they were kept for ever."""


@dataclass
class Sides:
    """Both sides of one partition's pairs, in the order of their offsets."""

    predictions: list[PredictionSide] = field(default_factory=list)
    actuals: list[ActualSide] = field(default_factory=list)

    def add(self, record: Record, event_id: str, payload: PredictionMade | ActualAvailable) -> None:
        """Add a side; who started its chain does not matter here."""
        place = (record.partition, record.offset, event_id, "")
        if isinstance(payload, PredictionMade):
            self.predictions.append(side_of_prediction(*place, payload))
        else:
            self.actuals.append(side_of_actual(*place, payload))


@dataclass
class Survey:
    """What was read, up to ends that belong together.

    Progress was read first, then the ends `below` which all of it is settled, then the ends `upto`: whatever
    lies below the first has its cause below the second.
    """

    progress: dict[tuple[str, str, int], Progress] = field(default_factory=dict)
    firsts: Offsets = field(default_factory=dict)
    below: Offsets = field(default_factory=dict)
    upto: Offsets = field(default_factory=dict)
    places: Places = field(default_factory=dict)
    tiles: dict[tuple[str, str, int], list[Tile]] = field(default_factory=lambda: defaultdict(list))
    pairs: list[Pairs] = field(default_factory=list)
    known: Known = field(default_factory=lambda: Known(FLOWS, {}))
    findings: list[Finding] = field(default_factory=list)
    """What was noticed while reading."""
    read: int = 0


def survey(settings: Settings) -> Survey:
    """Read every topic up to now.

    Raises:
        TryAgainError: the broker is away, or stops delivering.
    """
    made = Survey()
    spots = scanning.spots_of(settings, TOPICS)
    before = {route.name: _progress(settings, route, made) for route in routes()}
    with scanning.reader(settings) as looking:
        made.below, unsettled = scanning.settled_ends(settings, looking, spots)
        made.findings += [Finding("unsettled", where, "a transaction is under way") for where in unsettled]
        made.upto = scanning.ends(looking, spots)
        made.firsts = scanning.firsts(looking, spots)
        after = {route.name: _progress(settings, route, None) for route in routes()}
        for route in routes():
            for place, offset in before[route.name].items():
                made.progress[route.flow, *place] = Progress(offset, after[route.name].get(place, offset))
        _read(settings, looking, made)
        made.known.letters_since = _letters_since(looking, made)
    _relate(made)
    return made


def _progress(settings: Settings, route: Route, made: Survey | None) -> Offsets:
    """Read a group's committed offsets; a missing one is told once and left out."""
    found: Offsets = {}
    with scanning.reader(settings, route.flow) as looking:
        for spot in scanning.spots_of(settings, route.topics):
            span = OffsetRange(topic=spot.topic, partition=spot.partition, start=0, end=0)
            try:
                found |= {(s.topic, s.partition): at for s, at in committed(looking, [span]).items()}
            except StopError as error:
                if made:
                    where = f"{route.flow} on {spot.topic}-{spot.partition}"
                    made.findings.append(Finding("missing-offset", where, str(error)))
    return found


def _read(settings: Settings, looking: KafkaConsumer, made: Survey) -> None:
    """Read partition after partition; the two sides of a pair one after the other, then free them."""
    total = sum(made.upto.values()) - sum(made.firsts.values())
    for partition in range(settings.partitions):
        sides = Sides()
        for topic in (PREDICTIONS, ACTUALS):
            _one(settings, looking, made, TopicPartition(topic, partition), total, sides)
        made.pairs.append(pairs_of(partition, sides.predictions, sides.actuals))
    for topic, partition in made.upto:
        if topic not in {PREDICTIONS, ACTUALS}:
            _one(settings, looking, made, TopicPartition(topic, partition), total, Sides())


def _one(  # noqa: PLR0913, PLR0917  (where from, where to, and what for)
    settings: Settings,
    looking: KafkaConsumer,
    made: Survey,
    spot: TopicPartition,
    total: int,
    sides: Sides,
) -> None:
    place = (spot.topic, spot.partition)
    tally = Tally(FLOWS)
    start, end = made.firsts[place], made.upto[place]
    for batch in scanning.scan(looking, spot, start, end):
        for record in batch:
            if spot.topic == LETTERS:
                _add_letter(tally, record)
            else:
                _add_event(settings, tally, made, record, sides)
        tell(f"reading {spot.topic}", made.read + int(batch[-1].offset) + 1 - start, total)
    made.read += end - start
    made.places[place] = tally.done()


def _add_letter(tally: Tally, record: Record) -> None:
    said = {name: value.decode(errors="replace") for name, value in record.headers}
    try:
        source = Source(said["source_topic"], int(said["source_partition"]), int(said["source_offset"]))
    except (KeyError, ValueError):
        tally.junk(record.offset)  # somebody else's record
    else:
        tally.letter(record.offset, said.get("letter_id", ""), said.get("flow", ""), source)


def _add_event(settings: Settings, tally: Tally, made: Survey, record: Record, sides: Sides) -> None:
    event = event_of(record, [])
    if event is None:
        tally.junk(record.offset)
        return
    target = record.partition
    if TOPICS[record.topic].spread:
        target = partition_of(event.payload.key.encode(), settings.partitions)
    if target != record.partition:
        tally.event(record.offset, event, belongs=target)
        return
    tally.event(record.offset, event)
    _note(made, record, event, sides)


def _note(made: Survey, record: Record, event: Event[Payload], sides: Sides) -> None:
    """Keep what the columns do not hold."""
    payload, cause = event.payload, event.metadata.causation
    if isinstance(payload, SliceCommitted):
        _note_slice(made, record, payload)
    elif isinstance(payload, LetterResolved):
        made.known.resolved.add(hash(payload.letter_id))
    elif isinstance(payload, ModelTrained):
        made.known.answered |= {hash(trigger) for trigger in payload.triggers}
    elif isinstance(payload, PredictionExpired) and cause:
        made.known.expired.setdefault((cause.topic, cause.partition), set()).add(cause.offset)
    elif isinstance(payload, (PredictionMade, ActualAvailable)):
        sides.add(record, event.id, payload)


def _note_slice(made: Survey, record: Record, entry: SliceCommitted) -> None:
    """Keep a live entry's ranges; those of a replay are no progress, but its outputs are corrections."""
    if entry.flow.startswith(REPLAYS):
        for span in entry.outputs:
            ranges = made.known.corrections.setdefault((span.topic, span.partition), [])
            ranges.append((span.start, span.end))
    for span in entry.ranges if is_live(entry) else ():
        tile = Tile(span.start, span.end, entry.run_id, record.offset)
        made.tiles[entry.flow, span.topic, span.partition].append(tile)


def _letters_since(looking: KafkaConsumer, made: Survey) -> Offsets:
    """Find the offsets below which an input may have had a letter that is no longer kept.

    Earlier versions let letters expire. A letter is younger than what it refuses: younger inputs have theirs.
    """
    if made.firsts[LETTERS, 0] == 0:
        return {}
    moment = round(time.time() * 1000) - LETTERS_ONCE_KEPT_MS
    ask = partial(looking.offsets_for_times, {TopicPartition(*place): moment for place in made.upto})
    found = answered(ask, scanning.ASK_SECONDS, "offsets of a time")
    at = {(s.topic, s.partition): place.offset for s, place in found.items() if place}
    return made.upto | at


def _relate(made: Survey) -> None:
    """Note what takes more than one topic to know."""
    for topic in TOPICS:
        start = 0
        for partition, firsts in repeats(made.places, topic).items():
            end = start + len(firsts)
            made.known.repeated[topic, partition] = firsts != np.arange(start, end)
            start = end
    errors, nowhere = error_ids(made.places), Progress(0, 0)
    for pairs in made.pairs:
        at = {
            topic: made.progress.get((JOIN, topic, pairs.partition), nowhere).before
            for topic in (PREDICTIONS, ACTUALS)
        }
        match(pairs, errors, at, refused(made.places, pairs.partition, made.known), made.known)
