"""Which trace a record belongs to, as its headers say it (https://www.w3.org/TR/trace-context/).

A trace is a chain of events: its id follows from their correlation id, so that a replay finds the same one,
and nobody has to look it up. What other writers say of their records in the same header is taken as it is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from events.envelope import Metadata

HEADER = "traceparent"
Headers = tuple[tuple[str, bytes], ...]
SAMPLED = "01"
_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CURRENT, _NEVER = b"00", b"ff"
"""The version of the header that we write, and the one that there will never be."""


class TraceContext(NamedTuple):
    """A place in a trace: the trace, the span at work, and whether it is recorded, in hexadecimal."""

    trace_id: str
    span_id: str
    flags: str = SAMPLED

    @property
    def headers(self) -> Headers:
        """Write it as the headers of a record."""
        return ((HEADER, f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()),)


def read(value: bytes | None) -> TraceContext | None:
    """Read a header's value; None where it says nothing that the standard allows."""
    found = _FORM.fullmatch(value) if value else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _NEVER or (more and version == _CURRENT) or not (int(trace_id, 16) and int(span_id, 16)):
        return None
    return TraceContext(trace_id.decode(), span_id.decode(), flags.decode())


def carried(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Find the header's value among a record's headers; the first one counts."""
    for name, value in headers:
        if name == HEADER:
            return value
    return None


def trace_of(correlation_id: str) -> str:
    """Name the trace of a chain: the digits of its correlation id, where that is a UUID, else of a digest."""
    if _UUID.fullmatch(correlation_id) and (digits := correlation_id.replace("-", "")).strip("0"):
        return digits
    return sha256(correlation_id.encode(errors="replace")).hexdigest()[:32]


def span_of(maker: str) -> str:
    """Name the span of one piece of work, the same whenever that is done again."""
    return sha256(maker.encode()).hexdigest()[:16]


@lru_cache(maxsize=4_096)
def source_headers(producer: str, topic: str, correlation_id: str) -> Headers:
    """Place what a producer publishes without a slice in the trace of its chain."""
    trace = trace_of(correlation_id)
    return TraceContext(trace, span_of(f"{producer} {topic} {trace}")).headers


@dataclass(slots=True)
class Strand:
    """Records of a slice that came from the same place in the same chain."""

    topic: str
    trace_id: str
    parent: TraceContext | None
    """Where they came from, as their header says; None without one."""
    onward: Headers
    """What is said of what follows, where another writer began this trace; empty in one of ours."""
    records: int = 0


class Trail:
    """The traces of a slice: those that its records came in, and those that its results go on in.

    Its one span has the same id in each of them, which follows from the flow and where the slice begins.
    """

    def __init__(self, flow: str, starts: Mapping[tuple[str, int], int]) -> None:
        """Name the span; nothing has been read yet."""
        begins = " ".join(f"{topic}-{number}@{start}" for (topic, number), start in starts.items())
        self.span_id = span_of(f"{flow} {begins}")
        self._strands: dict[tuple[str, bytes | None], Strand] = {}
        self._foreign: dict[tuple[str, int, int], Headers] = {}
        self._made: dict[str, Headers] = {}

    def follow(self, record: Any, correlation_id: str) -> None:
        """Note where a record came from; of thousands that came from the same place this is a look-up."""
        headers = record.headers  # a look at the first one is a third of the time: it is ours in nearly all
        value = headers[0][1] if headers and headers[0][0] == HEADER else carried(headers)
        strand = self._strands.get((correlation_id, value))
        if strand is None:
            strand = self._strands[correlation_id, value] = self._strand(record.topic, correlation_id, value)
        strand.records += 1
        if strand.onward:
            self._foreign[record.topic, record.partition, record.offset] = strand.onward

    def headers(self, metadata: Metadata) -> Headers:
        """Say in which trace an event is that follows from this slice."""
        if self._foreign and (cause := metadata.causation):
            onward = self._foreign.get((cause.topic, cause.partition, cause.offset))
            if onward:
                return onward
        made = self._made.get(metadata.correlation_id)
        if made is None:
            context = TraceContext(trace_of(metadata.correlation_id), self.span_id)
            made = self._made[metadata.correlation_id] = context.headers
        return made

    @property
    def strands(self) -> list[Strand]:
        """Where the slice's records came from, in the order of the first of each."""
        return list(self._strands.values())

    @property
    def contexts(self) -> list[TraceContext]:
        """Where this slice is in each trace that it has a part in: those read, then those only written."""
        came = {one.trace_id: one.parent.flags if one.parent else SAMPLED for one in self._strands.values()}
        made = {trace_of(name): SAMPLED for name in self._made}
        return [TraceContext(trace, self.span_id, flags) for trace, flags in (came | (made | came)).items()]

    def _strand(self, topic: str, correlation_id: str, value: bytes | None) -> Strand:
        """Judge a header that is met for the first time."""
        own, parent = trace_of(correlation_id), read(value)
        if parent is None or parent.trace_id == own:
            return Strand(topic, own, parent, ())
        return Strand(topic, parent.trace_id, parent, parent._replace(span_id=self.span_id).headers)
