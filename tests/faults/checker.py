"""An independent judge of what the system left on its topics; shares no code with the system.

It knows the contract of ARCHITECTURE.md only: what each record has to lead to, once, in order, whatever died
on the way. `findings` is empty for a system without fault.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from tests.faults.journal import Journal, Place, Record


class Finding(NamedTuple):
    """What is wrong, and where."""

    kind: str
    """lost, duplicated, reordered, aborted-read, gap, overlap, progress, open-transaction, wrong, missing."""
    text: str


Subjects = Callable[[Record], Iterable[str]]
"""Names what one input has to lead to, one output each; a symbol, as a rule."""


@dataclass(frozen=True)
class Duty:
    """What a flow has to make of each record of a topic."""

    flow: str
    topic: str
    kind: str
    output: str
    subjects: Subjects
    starts: Mapping[int, int] = field(default_factory=dict)
    """Offsets at which the flow began, by partition; 0 without it."""

    def owns(self, record: Record) -> bool:
        """Tell whether the flow had to look at this record."""
        return record.place.offset >= self.starts.get(record.place.partition, 0)


def symbol_of(record: Record) -> list[str]:
    """Say that an event leads to one output, of its own symbol."""
    return [str(record.payload.get("symbol"))]


def check(journal: Journal, duties: Iterable[Duty], planted: frozenset[Place] = frozenset()) -> list[Finding]:
    """Hold the topics against what each flow had to do.

    What lies where the test itself wrote (`planted`) is an input like any other, but nobody's output.
    """
    made = journal.without(planted)
    found = [*repeats(made), *aborted_reads(journal), *unstable(journal)]
    for duty in duties:
        found += outcomes(journal, duty, made)
        found += order(made, duty)
    return found


def outcomes(journal: Journal, duty: Duty, outputs_of: Journal | None = None) -> Iterator[Finding]:
    """Require one output or one dead letter for every input; equal ids are one input."""
    made: dict[Place, Counter[str]] = defaultdict(Counter)
    for output in (outputs_of or journal).of(duty.output, producer=duty.flow):
        if output.cause:
            made[output.cause][str(output.payload.get("symbol"))] += 1
    letters = journal.letters.get(duty.flow, {})
    for same in _inputs(journal, duty).values():
        places = [record.place for record in same]
        outputs = sum((made[place] for place in places), Counter())
        yield from _judge(duty, same[0], outputs, [letters.get(place, 0) for place in places])


def _inputs(journal: Journal, duty: Duty) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in filter(duty.owns, journal.of(duty.topic)):
        same = record.identity if record.kind == duty.kind else _told(record.place)
        groups[same].append(record)
    return groups


def _judge(duty: Duty, record: Record, made: Counter[str], letters: list[int]) -> Iterator[Finding]:
    where = f"{duty.flow}: {_told(record.place)}"
    if max(letters) > 1 or (any(letters) and made):
        yield Finding("duplicated", f"{where} has {letters} dead letters and {made.total()} outputs")
    if any(letters):
        return
    if record.kind != duty.kind:
        yield Finding("lost", f"{where} is no {duty.kind} and has no dead letter")
        return
    wanted = Counter(duty.subjects(record))
    for subject, number in (wanted - made).items():
        yield Finding("lost", f"{where} lacks {number} output of {subject}")
    for subject, number in (made - wanted).items():
        yield Finding("duplicated", f"{where} has {number} too many of {subject}")


def order(journal: Journal, duty: Duty) -> Iterator[Finding]:
    """Require that outputs of a key follow their causes' order within each partition.

    A join's cause is always the actual, whichever side came last: it has no such order, and no duty here.
    """
    last: dict[tuple[int, bytes | None, int], int] = {}
    for output in journal.of(duty.output, producer=duty.flow):
        if cause := output.cause:
            thread = (output.place.partition, output.key, cause.partition)
            if cause.offset < last.get(thread, -1):
                yield Finding("reordered", f"{_told(output.place)}, caused by {_told(cause)}, comes too late")
            last[thread] = max(cause.offset, last.get(thread, -1))


def repeats(journal: Journal) -> Iterator[Finding]:
    """Require that no id is visible twice."""
    for topic, records in journal.committed.items():
        seen: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            name = record.headers.get("letter_id") if topic == "dead-letters" else record.identity
            seen[str(name)].append(record)
        for name, same in seen.items():
            if len(same) > 1:
                told = ", ".join(_told(record.place) for record in same)
                yield Finding("duplicated", f"{name} lies at {told}")


def aborted_reads(journal: Journal) -> Iterator[Finding]:
    """Require that nothing visible was made from a record of an aborted transaction."""
    for records in journal.committed.values():
        for record in records:
            if record.cause in journal.aborted:
                yield Finding("aborted-read", f"{_told(record.place)} was made from {_told(record.cause)}")
    for flow, letters in journal.letters.items():
        for place in set(letters) & journal.aborted:
            yield Finding("aborted-read", f"{flow} rejected {_told(place)}, which was aborted")


def unstable(journal: Journal) -> Iterator[Finding]:
    """Require that no transaction is open and that every partition is stable to its end."""
    for one in journal.open_transactions:
        yield Finding("open-transaction", one)
    for spot, end in journal.written.items():
        if journal.stable[spot] < end:
            yield Finding("open-transaction", f"{spot} is stable to {journal.stable[spot]} of {end} only")


def tiling(
    journal: Journal, flow: str, spot: tuple[str, int], start: int, at: int | None
) -> Iterator[Finding]:
    """Require that the ledger's slices tile [start, committed) of a partition without gap or overlap."""
    spans = sorted(
        (one["start"], one["end"])
        for entry in journal.of("slices", "SliceCommitted")
        if entry.payload["flow"] == flow
        for one in entry.payload["ranges"]
        if (one["topic"], one["partition"]) == spot and one["end"] > one["start"]
    )
    for before, after in pairwise([(start, start), *spans]):
        if before[1] != after[0]:
            kind = "gap" if before[1] < after[0] else "overlap"
            yield Finding(kind, f"{flow}: the ledger goes from {before} to {after} on {spot}")
    end = spans[-1][1] if spans else start
    if end != at:
        yield Finding("progress", f"{flow}: {at} is committed on {spot}, the ledger ends at {end}")


def _told(place: Place) -> str:
    return f"{place.topic}-{place.partition}@{place.offset}"
