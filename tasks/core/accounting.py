"""What became of every input: for each flow and offset exactly one outcome, or a finding."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from tasks.core.census import (
    LETTER,
    MISPLACED,
    TOPIC_NAMES,
    Census,
    Flags,
    Numbers,
    Places,
    code_of,
    kind_code,
    of_topic,
)
from tasks.core.findings import Finding


class Rule(Enum):
    """What a flow owes an input."""

    ONE = "exactly one event or a dead letter"
    SOME = "at least one event or a dead letter"
    ANSWER = "a model that names it, or a dead letter"
    PAIR = "joined, expired or waiting"
    SILENCE = "nothing"


RULES: dict[tuple[str, str], Rule] = {
    ("compute-features", "DataIngested"): Rule.SOME,
    ("predict", "FeaturesComputed"): Rule.ONE,
    ("join-errors", "PredictionMade"): Rule.PAIR,
    ("join-errors", "ActualAvailable"): Rule.PAIR,
    ("retrain", "ModelRetrainingTriggered"): Rule.ANSWER,
}
"""By flow and input type; what is not named may stay without an outcome."""


BESIDE: dict[str, tuple[str, ...]] = {"predict": ("ShadowPredicted", "AlertRaised")}
"""By flow, what it may make of an input beside what it owes: no outcome, and none too many."""

ASIDE = frozenset({"recompute"})
"""Flows that publish blocks before their slice commits: an input that is given up may have made events."""


class Input(NamedTuple):
    """One partition that a flow reads, and how far it has come."""

    flow: str
    topic: str
    partition: int
    committed: int

    def __str__(self) -> str:
        """Write it as `flow on topic-partition`."""
        return f"{self.flow} on {self.topic}-{self.partition}"


@dataclass
class Known:
    """What else tells of outcomes besides the events' causes."""

    flows: tuple[str, ...]
    repeated: dict[tuple[str, int], Flags]
    """Records whose id lies at an earlier place of their topic as well."""
    answered: set[int] = field(default_factory=set)
    """Hashes of the triggers that a model names."""
    joined: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """Offsets of either side that belong to a pair whose error is there."""
    unjoined: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """Offsets of either side that belong to a pair whose error should be there and is not."""
    expired: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """Offsets of predictions that were given up."""
    letters_since: dict[tuple[str, int], int] = field(default_factory=dict)
    """Offsets below which letters may no longer be kept."""
    resolved: set[int] = field(default_factory=set)
    """Hashes of the ids of letters that went through later: what followed from them counts instead."""
    corrections: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)
    """Offsets `[start, end)` among which replays published corrections."""

    def corrected(self, place: tuple[str, int], census: Census) -> Flags:
        """Flag the records of a partition that may be a replay's correction."""
        found = np.zeros(len(census), bool)
        for start, end in self.corrections.get(place, ()):
            found |= (census.offsets >= start) & (census.offsets < end)
        return found


@dataclass
class Account:
    """How many inputs of one flow and partition found which outcome; `offsets` is the committed one."""

    flow: str
    topic: str
    partition: int
    offsets: int
    records: int = 0
    published: int = 0
    dead_letters: int = 0
    rerouted: int = 0
    repeated: int = 0
    silent: int = 0
    joined: int = 0
    expired: int = 0
    waiting: int = 0
    unknown: int = 0
    """Without outcome, and from a time whose letters are no longer kept."""
    lost: int = 0
    pending: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Give the account as JSON types."""
        return asdict(self)


@dataclass
class _Case:
    """One partition's inputs, and how often an event and a dead letter name each as the cause."""

    which: Input
    places: Places
    known: Known
    census: Census
    outputs: Numbers
    letters: Numbers
    corrections: Numbers

    def of_rule(self, rule: Rule) -> Flags:
        """Flag the inputs to which a rule applies."""
        mine = [kind_code(k) for (flow, k), r in RULES.items() if flow == self.which.flow and r is rule]
        return np.isin(self.census.kinds, mine)

    def among(self, offsets: Iterable[int]) -> Flags:
        """Flag the inputs at these offsets."""
        return np.isin(self.census.offsets, list(offsets))


def settle(which: Input, places: Places, known: Known) -> tuple[Account, list[Finding]]:
    """Hold a flow's inputs on one partition against their outcomes."""
    place = (which.topic, which.partition)
    census = places[place]
    case = _Case(which, places, known, census, *_outcomes(which, places, known, census))
    below = np.asarray(census.offsets < which.committed)
    account = Account(*which, records=int(below.sum()), pending=int((~below).sum()))
    lost = _left(case, account, below)
    unknown = lost & (census.offsets < known.letters_since.get(place, 0))
    lost &= ~unknown
    account.unknown, account.lost = int(unknown.sum()), int(lost.sum())
    return account, [
        *_told("lost", which, census, lost, "have no outcome"),
        *_told("twice", which, census, below & _too_many(case), "have more than one outcome"),
        *_told("letters-expired", which, census, unknown, "have no outcome, or a letter that expired"),
    ]


def _outcomes(which: Input, places: Places, known: Known, census: Census) -> tuple[Numbers, ...]:
    """Count the flow's events, open dead letters and corrections that name each input as their cause."""
    counts = tuple(np.zeros(len(census), np.int64) for _ in range(3))
    flow, topic = code_of(which.flow, known.flows), code_of(which.topic, TOPIC_NAMES)
    beside = [kind_code(kind) for kind in BESIDE.get(which.flow, ())]
    for place, other in places.items():
        named = (other.producers == flow) & (other.cause_topics == topic) & ~np.isin(other.kinds, beside)
        named &= other.cause_partitions == which.partition
        open_letters = (other.kinds == LETTER) & ~np.isin(other.ids, list(known.resolved))
        kinds = (other.is_event(), open_letters, other.is_event() & known.corrected(place, other))
        for chosen, count in zip(kinds, counts, strict=True):
            rows, there = census.at(other.cause_offsets[named & chosen])
            np.add.at(count, rows[there], 1)
    return counts


def _too_many(case: _Case) -> Flags:
    both = (case.outputs > 0) & (case.letters > 0) & (case.which.flow not in ASIDE)
    several = case.outputs - case.corrections > 1
    return np.asarray(both | (case.letters > 1) | (case.of_rule(Rule.ONE) & several))


def _left(case: _Case, account: Account, below: Flags) -> Flags:
    """Take the outcomes in their order, each from what the ones before left; returns what none took."""
    left = below.copy()
    for name, reason in _reasons(case):
        taken = left & reason
        setattr(account, name, getattr(account, name) + int(taken.sum()))
        left &= ~taken
    return left


def _reasons(case: _Case) -> Iterable[tuple[str, Flags]]:
    known, place = case.known, (case.which.topic, case.which.partition)
    yield "dead_letters", np.asarray(case.letters > 0)
    yield "rerouted", _rerouted(case)
    real, pairs = case.census.is_event(), case.of_rule(Rule.PAIR)
    owed = pairs | case.of_rule(Rule.ONE) | case.of_rule(Rule.SOME) | case.of_rule(Rule.ANSWER)
    made = np.asarray(real & ~pairs & (case.outputs > 0))
    yield "published", made
    yield "repeated", known.repeated[place] & owed
    answered = np.isin(case.census.ids, list(known.answered))
    yield "published", case.of_rule(Rule.ANSWER) & answered
    matched = pairs & ~case.among(known.unjoined.get(place, ()))
    yield "joined", matched & case.among(known.joined.get(place, ()))
    yield "expired", matched & case.among(known.expired.get(place, ()))
    yield "waiting", matched
    yield "silent", np.asarray(real & ~owed)


def _rerouted(case: _Case) -> Flags:
    """Flag the misplaced records whose event lies in the partition where it belongs."""
    census, found = case.census, np.zeros(len(case.census), bool)
    targets = dict(of_topic(case.places, case.which.topic))
    for row in np.flatnonzero(census.kinds == MISPLACED):
        target = targets.get(census.moved[int(census.offsets[row])])
        found[row] = target is not None and bool(np.any(target.is_event() & (target.ids == census.ids[row])))
    return found


def _told(kind: str, which: Input, census: Census, flags: Flags, what: str) -> list[Finding]:
    """Name the offsets by runs of neighbours."""
    rows = np.flatnonzero(flags)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if len(rows) else []
    return [
        Finding(
            kind,
            str(which),
            f"{len(run)} records in [{census.offsets[run[0]]}, {census.offsets[run[-1]] + 1}) {what}",
        )
        for run in runs
    ]
