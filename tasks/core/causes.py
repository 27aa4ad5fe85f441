"""Whether every cause that an event names exists, and whether an input made an event more than once."""

from collections.abc import Sequence

import numpy as np

from tasks.core.census import (
    NONE,
    TOPIC_NAMES,
    Census,
    Flags,
    Numbers,
    Places,
    code_of,
    joined,
    of_topic,
    repeats,
)
from tasks.core.findings import Finding

NAMED = {("monitor", "training")}
"""Producers and topics whose events name the cause in words (a `Because`): its place alone can be checked."""


def broken_causes(places: Places, ends: dict[tuple[str, int], int], flows: Sequence[str]) -> list[Finding]:
    """Find the events below `ends` whose cause is not at the place that they name.

    Args:
        places: all columns; they reach beyond `ends`, so that a cause is read wherever its event is.
        ends: offsets up to which events are checked, by (topic, partition).
        flows: names of the columns' producers.
    """
    found = []
    for (topic, partition), census in places.items():
        checked = census.is_event() & (census.offsets < ends[topic, partition])
        checked &= census.cause_topics != NONE
        in_words = [code_of(flow, flows) for flow, where in NAMED if where == topic]
        bad = checked & ~_there(places, census, np.isin(census.producers, in_words))
        found += [_finding(topic, partition, census, int(row)) for row in np.flatnonzero(bad)]
    return found


def _there(places: Places, census: Census, any_id: Flags) -> Flags:
    """Flag the rows whose cause exists: the place, and the id of what lies there."""
    there = np.zeros(len(census), bool)
    for (topic, partition), causes in places.items():
        chosen = np.flatnonzero(
            (census.cause_topics == code_of(topic, TOPIC_NAMES)) & (census.cause_partitions == partition)
        )
        rows, exists = causes.at(census.cause_offsets[chosen])
        if len(causes):
            exists &= any_id[chosen] | (causes.ids[rows] == census.cause_ids[chosen])
        there[chosen] = exists
    return there


def _finding(topic: str, partition: int, census: Census, row: int) -> Finding:
    code = int(census.cause_topics[row])
    name = TOPIC_NAMES[code] if code < len(TOPIC_NAMES) else "an unknown topic"
    cause = f"{name}-{census.cause_partitions[row]}@{census.cause_offsets[row]}"
    what = f"the event at {census.offsets[row]} names {cause}, which does not hold that event"
    return Finding("broken-cause", f"{topic}-{partition}", what)


def delivered_again(places: Places, flows: Sequence[str]) -> list[Finding]:
    """Find ids that a topic holds more than once: by one input of one flow (a fault), or delivered again."""
    found = []
    for topic in dict.fromkeys(name for name, _ in places):
        whole = joined([census for _, census in of_topic(places, topic)])
        firsts = repeats(places, topic)
        start = 0
        for partition, census in of_topic(places, topic):
            own = np.arange(start, start + len(census))
            start += len(census)
            again = own[firsts[partition] != own]
            same = _same_cause(whole, again, firsts[partition][firsts[partition] != own], len(flows))
            found += _told(topic, partition, whole.offsets[again], same)
    return found


def _same_cause(whole: Census, rows: Numbers, firsts: Numbers, flows: int) -> Flags:
    """Flag the rows that a flow made from the very place from which it made the first of that id."""
    same = (whole.producers[rows] < flows) & (whole.cause_topics[rows] != NONE)
    for column in (whole.producers, whole.cause_topics, whole.cause_partitions, whole.cause_offsets):
        same &= column[rows] == column[firsts]
    return np.asarray(same)


def _told(topic: str, partition: int, offsets: Numbers, same: Flags) -> list[Finding]:
    where = f"{topic}-{partition}"
    found = [
        Finding("doubled", where, f"the event at {at} was made from its cause before") for at in offsets[same]
    ]
    again = offsets[~same]
    if len(again):
        what = f"{len(again)} events were delivered again, the first at {again[0]}"
        found.append(Finding("repeated", where, what))
    return found
