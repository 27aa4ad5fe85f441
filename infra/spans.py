"""Slices and publications as OpenTelemetry spans; imported only where an endpoint is set.

A span is made when its transaction is committed, with the ids that the headers of its records already carry.
"""

import atexit
import threading
import time
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, Tracer

from infra.trace_context import TraceContext
from infra.tracing import (
    ADDRESS,
    DESTINATION,
    MESSAGES,
    OPERATION,
    OPERATION_TYPE,
    PORT,
    SYSTEM,
    Told,
)

PATH = "/v1/traces"
"""Where a collector takes spans, below its endpoint (https://opentelemetry.io/docs/specs/otlp/)."""
MOST_WAITING = 4_096
"""Spans that wait for the collector; the oldest are dropped beyond."""
EXPORT_SECONDS = 3.0
"""How long one request may take, so that a process that ends does not wait for a collector that is away."""
EXPORT_EVERY_MS = 1_000


class GivenIds(IdGenerator):
    """Gives a span the ids that were chosen for it; each thread chooses its own."""

    def __init__(self) -> None:
        """Nothing is chosen yet."""
        self._chosen = threading.local()

    def choose(self, context: TraceContext) -> None:
        """Choose the ids of the next span of this thread."""
        self._chosen.context = context

    def generate_span_id(self) -> int:
        """Give the chosen span id."""
        return int(self._chosen.context.span_id, 16)

    def generate_trace_id(self) -> int:
        """Give the chosen trace id; only a span without parent needs one."""
        return int(self._chosen.context.trace_id, 16)


class Spans:
    """Makes spans; each flow and each publisher is a service of its own, as collectors draw them."""

    def __init__(self, processor: SpanProcessor, bootstrap: str) -> None:
        """Give every span to `processor`; `bootstrap` is the broker's address."""
        self._ids = GivenIds()
        self._processor = processor
        host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
        self._server: dict[str, str | int] = {ADDRESS: host or bootstrap}
        if port.isdecimal():
            self._server[PORT] = int(port)
        self._tracer = cache(self._new_tracer)

    def tell(self, service: str, told: Iterable[Told]) -> None:
        """Make the spans of a transaction that has just been committed."""
        tracer, ends = self._tracer(service), time.time_ns()
        for one in told:
            self._ids.choose(one.context)
            span = tracer.start_span(
                f"{one.operation} {one.topic}",
                context=_inside(one.parent),
                kind=SpanKind.CONSUMER if one.operation == "process" else SpanKind.PRODUCER,
                attributes={**self._server, **_named(one), **one.facts},
                links=[Link(_span_context(link)) for link in one.links],
                start_time=one.began,
            )
            span.end(ends)

    def flush(self) -> bool:
        """Export what waits, now."""
        return self._processor.force_flush()

    def _new_tracer(self, service: str) -> Tracer:
        told = {
            "service.name": service,
            "service.namespace": "nepse",
            "service.version": version("nepse-loop"),
        }
        provider = TracerProvider(
            resource=Resource.create(told), id_generator=self._ids, shutdown_on_exit=False
        )
        provider.add_span_processor(self._processor)
        return provider.get_tracer("nepse-loop", version("nepse-loop"))


def to_collector(endpoint: str, seconds: float = EXPORT_SECONDS) -> SpanProcessor:
    """Send spans to a collector in the background, what waits also at the process's end."""
    session = requests.Session()
    session.trust_env = False  # a proxy for the outside must not get what goes to an operator's collector
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + PATH, timeout=seconds, session=session)
    processor = BatchSpanProcessor(exporter, MOST_WAITING, EXPORT_EVERY_MS, MOST_WAITING)
    atexit.register(processor.shutdown)
    return processor


def _named(one: Told) -> dict[str, Any]:
    return {
        SYSTEM: "kafka",
        OPERATION: one.operation,
        OPERATION_TYPE: one.operation,
        DESTINATION: one.topic,
        MESSAGES: one.messages,
    }


def _inside(parent: TraceContext | None) -> Context:
    """Make the context that a span begins in; without a parent an empty one, whatever is under way here."""
    if parent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(_span_context(parent)), Context())


def _span_context(context: TraceContext) -> SpanContext:
    flags = TraceFlags(int(context.flags, 16))
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags)
