"""Past slices are taken again, with what they knew then, and compared event by event."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer

from events.payloads import OffsetRange, SliceCommitted
from infra.bootstrap import Loop
from infra.errors import UsageError
from infra.kafka.ledger import is_live, redriving, replaying
from infra.kafka.letters import resolved
from infra.kafka.log import TopicLog
from infra.kafka.records import Outgoing, Run, of_kind, ranges_label
from infra.kafka.rehearsal import Recorded, Rehearsal, outputs_of, publish_corrections, recorded
from infra.progress import tell
from tasks.core.comparison import DIFFERENT, EXTRA, Finding, Output, compare
from tasks.core.features import FEATURE_SET
from tasks.work import Steps, this_run

SILENT = {
    "notify": "it delivers messages, which can't be compared",
    "retrain": "it registers a model; ask for a retraining instead",
}
"""Flows that can't be taken again without an effect outside the topics."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which slices: those of a run, or of a flow where they touch offsets of a topic-partition."""

    run_id: str | None = None
    flow: str | None = None
    span: OffsetRange | None = None

    def means(self, entry: SliceCommitted) -> bool:
        """Tell whether a ledger entry is meant."""
        if self.run_id is not None:
            return entry.run_id == self.run_id and is_live(entry)
        return entry.flow == self.flow and any(_touch(r, self.span) for r in entry.ranges)


@dataclass(frozen=True, slots=True)
class Past:
    """A slice as it was, the corrections that replays published, and what redrives of its letters did."""

    entry: SliceCommitted
    corrections: list[SliceCommitted]
    redrives: list[SliceCommitted]


def _touch(one: OffsetRange, other: OffsetRange | None) -> bool:
    if other is None:
        return True
    same = (one.topic, one.partition) == (other.topic, other.partition)
    return same and one.start < other.end and other.start < one.end


@dataclass(frozen=True, slots=True)
class Replayed:
    """One slice that was taken again."""

    entry: SliceCommitted
    findings: list[Finding]
    published: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Give counts and every finding that is not `identical`, as JSON types."""
        counts = Counter(finding.kind for finding in self.findings)
        notable = [f for f in self.findings if f.kind != "identical"]
        told = [
            {"kind": f.kind, "topic": f.topic, "id": f.id, "about": f.about, "fields": list(f.fields)}
            for f in notable
        ]
        slice_ = {"flow": self.entry.flow, "slice": ranges_label(self.entry.ranges)}
        run = {"run_id": self.entry.run_id, "published": self.published}
        return slice_ | run | {"counts": dict(counts), "findings": told}


def chosen(loop: Loop, wanted: Wanted) -> list[Past]:
    """Find the ledger's entries that are meant, oldest first.

    Raises:
        UsageError: it is not clear which, there is none, or one that can't be taken again.
    """
    if bool(wanted.run_id) == bool(wanted.flow) or (wanted.run_id and wanted.span):
        message = "say which slices: those of a run, or those of a flow, which a span may narrow"
        raise UsageError(message)
    ledger = loop.keep("slices", lambda: TopicLog(loop.settings, "slices"))
    entries = [one.payload for one in of_kind(ledger.between(0, ledger.refresh()), SliceCommitted)]
    meant = [entry for entry in entries if wanted.means(entry)]
    if not meant:
        message = "the ledger has no such slice: see 'nepse tail slices --from-beginning'"
        raise UsageError(message)
    for entry in meant:
        _require_repeatable(entry)
    aside = [entry for entry in entries if not is_live(entry)]
    return [_past(entry, aside) for entry in meant]


def _past(entry: SliceCommitted, aside: Iterable[SliceCommitted]) -> Past:
    """Find what happened to a slice since; a redrive concerns it when it tried one of its records again."""
    corrections, redrives = [], []
    for one in aside:
        if one.flow == replaying(entry.flow) and one.ranges == entry.ranges:
            corrections.append(one)
        elif one.flow == redriving(entry.flow) and any(
            _touch(a, b) for a in one.ranges for b in entry.ranges
        ):
            redrives.append(one)
    return Past(entry, corrections, redrives)


def _require_repeatable(entry: SliceCommitted) -> None:
    label = f"{entry.flow} {ranges_label(entry.ranges)}"
    if entry.flow in SILENT:
        message = f"{label} can't be replayed: {SILENT[entry.flow]}"
        raise UsageError(message)
    if entry.feature_set is not None and entry.feature_set != FEATURE_SET:
        message = (
            f"{label} computed feature set {entry.feature_set}, this code computes {FEATURE_SET}:"
            f" replay it with code version {entry.code_version}"
        )
        raise UsageError(message)
    if entry.counts.get("blocks"):
        message = (
            f"{label} published {entry.counts['blocks']} blocks aside: 'nepse backfill --dry-run' of its"
            " sessions tells what would come out different now"
        )
        raise UsageError(message)
    if entry.counts.get("out") and not entry.outputs:
        message = f"{label} was committed before the ledger noted where outputs lie: it can't be compared"
        raise UsageError(message)


def replay(loop: Loop, slices: list[Past], steps: Mapping[str, Steps], *, publish: bool) -> list[Replayed]:
    """Take slices again; with `publish`, what differs or was never published becomes a new revision."""
    done = []
    for number, past in enumerate(slices):
        tell("slices", number, len(slices))
        done.append(_replay_one(loop, past, steps[past.entry.flow], publish=publish))
    return done


def _replay_one(loop: Loop, past: Past, steps: Steps, *, publish: bool) -> Replayed:
    entry = past.entry
    run = Run(entry.flow, this_run(entry.flow).run_id)
    with loop.pool.reader(replaying(entry.flow)) as reader:
        work = Rehearsal(loop.pool, run, entry.ranges, reader)
        steps(loop.as_of({r.topic: r.end for r in entry.looked_up}), work)
        then = _read(reader, [entry, *past.corrections])
        since = _read(reader, past.redrives)
    findings = _compare(work, then, since, resolved(loop.live.redrives, [one.id for one in then]))
    corrected = _corrected(work, findings) if publish else []
    if corrected:
        publish_corrections(loop.pool, run, entry.ranges, corrected)
    return Replayed(entry, findings, len(corrected))


def _read(reader: KafkaConsumer, entries: Iterable[SliceCommitted]) -> list[Recorded]:
    return [one for entry in entries for one in recorded(reader, entry)]


def _compare(work: Rehearsal, then: list[Recorded], since: list[Recorded], mended: set[str]) -> list[Finding]:
    before = {one.id: _output(one) for one in then if one.id not in mended}
    later = {one.id: _output(one) for one in [*since, *(one for one in then if one.id in mended)]}
    now = [(work.ids(made), made.topic, made.payload.model_dump(mode="json")) for made in work.made]
    now += [((letter.id,), letter.topic, letter.fields) for letter in outputs_of(work)]
    outputs = [(ids, Output(topic, _about(fields), fields)) for ids, topic, fields in now]
    return compare(before, outputs, later)


def _output(one: Recorded) -> Output:
    return Output(one.topic, _about(one.fields), one.fields)


def _about(fields: Mapping[str, Any]) -> str:
    """Name an output for people: its symbol and session, or its reason."""
    named = [str(fields[name]) for name in ("symbol", "date", "rule", "reason") if fields.get(name)]
    return " ".join(named)[:120]


def _corrected(work: Rehearsal, findings: list[Finding]) -> list[Outgoing]:
    """Make what has to be published: the next revision of what differs, and what is extra as it is."""
    kinds = {finding.id: finding.kind for finding in findings}
    outgoing = []
    for made in work.made:
        latest = next((one for one in reversed(work.ids(made)) if one in kinds), None)
        if latest and kinds[latest] == EXTRA:
            outgoing.append(work.as_it_is(made))
        elif latest and kinds[latest] == DIFFERENT and hasattr(made.payload, "revision"):
            outgoing.append(work.correction(made, latest))
    return outgoing
