"""Slices in memory for tests of traces: records with headers in, predictions out; and a collector."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.receiver import posts
from events.envelope import Event, Metadata, encode
from events.payloads import FeaturesComputed, OffsetRange, PredictionMade
from infra.kafka.records import Run, of_kind
from infra.kafka.work import Work
from infra.settings import Settings

DAY = date(2023, 6, 1)
CHAIN, TRACE = "11111111-2222-5333-8444-555555555555", "11111111222253338444555555555555"
"""A correlation id, and the trace that follows from it."""
FOREIGN = "abcdefabcdefabcdefabcdefabcdefab"
PARENT = "00f067aa0ba902b7"


def traceparent(trace: str, span: str = PARENT, flags: str = "01") -> tuple[tuple[str, bytes], ...]:
    """Make the headers of a record of a trace."""
    return (("traceparent", f"00-{trace}-{span}-{flags}".encode()),)


@dataclass
class Traced:
    """A vector as the client hands it over, of a chain, with headers."""

    headers: Sequence[tuple[str, bytes | None]] = ()
    chain: str = CHAIN
    value: bytes | None = None
    offset: int = 0
    topic: str = "features"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = b"NICA"

    def at(self, offset: int) -> "Traced":
        """Lie at an offset, as an event unless the bytes are given."""
        self.offset = offset
        if self.value is None:
            vector = FeaturesComputed(symbol="NICA", date=DAY, features={}, last_close=1.0)
            name = Metadata(f"event-{offset}", self.chain)
            self.value = encode(Event(datetime(2023, 6, 1, tzinfo=UTC), "test", vector, name))
        return self


def slice_of(*records: Traced, settings: Settings | None = None, start: int = 0) -> Work:
    """Make a slice of the flow `predict` that holds these records; nothing is read yet."""
    held = [record.at(start + number) for number, record in enumerate(records)]
    span = OffsetRange(topic="features", partition=0, start=start, end=start + len(held))
    own = settings or Settings(partitions=1)
    return Work(own, Run("predict", "run-1"), [span], lambda asked: (held, asked))


def predicted(work: Work) -> Work:
    """Publish what follows from each vector of a slice."""
    for received in of_kind(work.read(), FeaturesComputed):
        made = PredictionMade(symbol="NICA", date=DAY, predicted_close=1.0, model_version="v0")
        work.publish("predictions", made, received, "NICA")
    return work


class Collector:
    """What a collector was sent: the paths, and the spans by service."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.paths: list[str] = []
        self.spans: list[tuple[str, Any]] = []
        self.came = threading.Event()
        self.port = 0

    @property
    def endpoint(self) -> str:
        """Its address, as the setting wants it."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, body: bytes) -> None:
        """Read a request as a collector does."""
        request = ExportTraceServiceRequest.FromString(body)
        self.paths.append(path)
        for group in request.resource_spans:
            service = next(a.value.string_value for a in group.resource.attributes if a.key == "service.name")
            self.spans += [(service, span) for scope in group.scope_spans for span in scope.spans]
        self.came.set()


@contextmanager
def collector() -> Iterator[Collector]:
    """Listen for spans over OTLP/HTTP, on a port of its own."""
    found = Collector()

    def answer(path: str, body: bytes) -> int:
        found.take(path, body)
        return 200

    with posts(answer, "application/x-protobuf") as found.port:
        yield found
