"""What slices and publications tell of themselves as spans, where `NEPSE_OTLP_ENDPOINT` names a collector.

Without an endpoint no SDK is loaded (`infra/spans.py` does); the headers of records are written in any case.
Attributes are named after the semantic conventions for messaging and Kafka
(https://opentelemetry.io/docs/specs/semconv/messaging/kafka/); those that begin with `nepse.` are our own.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from infra.kafka.records import Outgoing, ranges_label
from infra.kafka.work import Work
from infra.settings import Settings
from infra.trace_context import Strand, TraceContext, carried, read

if TYPE_CHECKING:
    from infra.spans import Spans

SYSTEM, OPERATION, OPERATION_TYPE = "messaging.system", "messaging.operation.name", "messaging.operation.type"
DESTINATION, PARTITION = "messaging.destination.name", "messaging.destination.partition.id"
GROUP, MESSAGES = "messaging.consumer.group.name", "messaging.batch.message_count"
ADDRESS, PORT = "server.address", "server.port"
MOST_SPANS = 64
"""Traces of one transaction that get a span; the first one links to where the others' records came from."""
MOST_LINKS = 128
"""As many as the SDK keeps by default."""


class Told(NamedTuple):
    """One span: what was done with which messages, in which trace, and where they came from."""

    operation: Literal["process", "send"]
    context: TraceContext
    parent: TraceContext | None
    links: Sequence[TraceContext]
    began: int
    """Nanoseconds since 1970."""
    topic: str
    messages: int
    facts: Mapping[str, Any]
    """More attributes, under their full names."""


def processed(work: Work) -> None:
    """Tell of a slice that has just been committed."""
    if spans := _spans(work.settings):
        spans.tell(work.run.flow, slice_spans(work))


def published(settings: Settings, producer: str, records: Iterable[Outgoing], began: int) -> None:
    """Tell of records that were published without a slice; `began` is in nanoseconds since 1970."""
    if spans := _spans(settings):
        spans.tell(producer, publication_spans(records, began))


def slice_spans(work: Work) -> list[Told]:
    """Describe a slice: one span in each trace that its records came in or its results go on in."""
    strands, contexts, facts = work.trail.strands, work.trail.contexts, _facts(work)
    by_trace: dict[str, list[Strand]] = defaultdict(list)
    for strand in strands:
        by_trace[strand.trace_id].append(strand)
    found: list[Told] = []
    for context in contexts[:MOST_SPANS]:
        came = by_trace[context.trace_id]
        parents = _parents(came)
        alone = not came or (not found and len(contexts) > MOST_SPANS)
        links = dict.fromkeys([*parents[1:], *(_parents(strands) if alone else [])])
        topic = came[0].topic if came else work.ranges[0].topic
        messages = sum(strand.records for strand in came)
        parent = parents[0] if parents else None
        told = Told("process", context, parent, [*links][:MOST_LINKS], work.began, topic, messages, facts)
        found.append(told)
    return found


def publication_spans(records: Iterable[Outgoing], began: int) -> list[Told]:
    """Describe a publication by the headers of its records: one span for each trace and topic."""
    counts = Counter((record.topic, carried(record.headers)) for record in records)
    return [
        Told("send", context, None, (), began, topic, number, {})
        for (topic, value), number in list(counts.items())[:MOST_SPANS]
        if (context := read(value))
    ]


def _facts(work: Work) -> dict[str, Any]:
    """Say what is the same in all spans of a slice: who worked on what, and where to read of it."""
    facts: dict[str, Any] = {
        GROUP: work.run.flow,
        "nepse.slice": ranges_label(work.ranges),
        "nepse.run.id": work.run.run_id,
        "nepse.run.url": work.settings.run_page(work.run.run_id),
        "nepse.attempt": work.run.attempt,
    }
    if len(work.ranges) == 1:
        facts[PARTITION] = str(work.ranges[0].partition)
    return facts | {f"nepse.records.{what}": number for what, number in work.counts.items()}


def _parents(strands: Iterable[Strand]) -> list[TraceContext]:
    return list(dict.fromkeys(strand.parent for strand in strands if strand.parent))


def _spans(settings: Settings) -> "Spans | None":
    return _connected(settings.otlp_endpoint, settings.bootstrap) if settings.otlp_endpoint else None


@lru_cache(maxsize=4)
def _connected(endpoint: str, bootstrap: str) -> "Spans":
    from infra.spans import Spans, to_collector  # noqa: PLC0415  (loads the SDK)

    return Spans(to_collector(endpoint), bootstrap)
