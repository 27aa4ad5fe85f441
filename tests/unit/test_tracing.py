"""Spans of slices and publications: what they say, under which ids, and that a collector receives them."""

import subprocess
import sys
import threading
from collections import Counter

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.attributes import server_attributes
from opentelemetry.trace import SpanKind

from events.envelope import decode
from infra import tracing
from infra.kafka.work import Work, beginning, record_of
from infra.settings import Settings
from infra.spans import Spans, to_collector
from infra.trace_context import carried, read
from infra.tracing import MOST_LINKS, MOST_SPANS, processed, publication_spans, published, slice_spans
from tests.traced import CHAIN, FOREIGN, PARENT, TRACE, Traced, collector, predicted, slice_of, traceparent

OTHER = "22222222-2222-5333-8444-555555555555"
REFUSED = 9
"""A port on which nobody listens."""


def spans_of(*works: Work, bootstrap: str = "127.0.0.1:9092") -> list[ReadableSpan]:
    """Tell of slices; give the spans as an exporter gets them."""
    kept = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(kept), bootstrap)
    for work in works:
        spans.tell(work.run.flow, slice_spans(work))
    return list(kept.get_finished_spans())


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Give a span's trace and its own id, in hexadecimal."""
    assert span.context
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_a_slice_is_one_span_under_what_it_came_from() -> None:
    """Its ids are those in the headers of its results: they are its children."""
    work = predicted(slice_of(Traced(traceparent(TRACE)), Traced(traceparent(TRACE))))
    (span,) = spans_of(work)
    said = read(carried(work.outgoing[0].headers))
    assert said is not None
    assert ids(span) == (said.trace_id, said.span_id)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT
    assert (span.name, span.kind) == ("process features", SpanKind.CONSUMER)
    assert span.start_time == work.began < (span.end_time or 0)


def test_a_span_follows_the_semantic_conventions() -> None:
    """Attributes have the conventions' names, and say what was done with how many messages of what."""
    (span,) = spans_of(predicted(slice_of(Traced(), Traced())))
    told = dict(span.attributes or {})
    ours = {name: told.pop(name) for name in list(told) if name.startswith("nepse.")}
    assert told == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "features",
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": "predict",
        "messaging.batch.message_count": 2,
        "server.address": "127.0.0.1",
        "server.port": 9092,
    }
    assert (ours["nepse.slice"], ours["nepse.run.id"], ours["nepse.attempt"]) == (
        "features-0 [0, 2)",
        "run-1",
        1,
    )
    assert (ours["nepse.records.in"], ours["nepse.records.out"]) == (2, 2)
    assert str(ours["nepse.run.url"]).endswith("/runs/flow-run/run-1")
    assert span.resource.attributes["service.name"] == "predict"


def test_our_names_are_those_of_the_conventions() -> None:
    """The installed package of the conventions knows each name that we write ourselves."""
    known = [value for module in (messaging_attributes, server_attributes) for value in vars(module).values()]
    names = ("SYSTEM", "OPERATION", "OPERATION_TYPE", "DESTINATION", "PARTITION", "GROUP", "MESSAGES")
    assert all(getattr(tracing, name) in known for name in (*names, "ADDRESS", "PORT"))


def test_a_mixed_slice_has_a_span_in_each_trace() -> None:
    """Chains stay apart; several origins in one trace become links of its span."""
    second = "b7ad6b7169203331"
    work = predicted(
        slice_of(
            Traced(traceparent(TRACE)),
            Traced(chain=OTHER),
            Traced(traceparent(TRACE, second)),
            Traced(traceparent(FOREIGN)),
        )
    )
    own, other, foreign = spans_of(work)
    assert [ids(span)[0] for span in (own, other, foreign)] == [TRACE, OTHER.replace("-", ""), FOREIGN]
    assert [f"{link.context.span_id:016x}" for link in own.links] == [second]
    assert (other.parent, list(other.links), list(foreign.links)) == (None, [], [])
    assert [(span.attributes or {})["messaging.batch.message_count"] for span in (own, other, foreign)] == [
        2,
        1,
        1,
    ]


def test_a_result_of_an_older_chain_has_a_span_that_links_to_the_slice() -> None:
    """The join pairs an actual with a prediction of another trace: nothing of that trace is in the slice."""
    work = slice_of(Traced(traceparent(TRACE)))
    (received,) = work.read()
    work.envelop("predictions", received.payload, beginning(received.payload, "id", OTHER))
    _, older = spans_of(work)
    assert ids(older)[0] == OTHER.replace("-", "")
    assert [f"{link.context.trace_id:032x}" for link in older.links] == [TRACE]


def test_spans_of_a_slice_are_bounded() -> None:
    """Beyond so many traces the first span links to where the others' records came from."""
    records = [Traced(traceparent(f"{n:032x}"), f"chain {n}") for n in range(1, MOST_SPANS + MOST_LINKS + 9)]
    told = spans_of(predicted(slice_of(*records)))
    assert len(told) == MOST_SPANS
    assert [len(span.links) for span in told[:2]] == [MOST_LINKS, 0]


def test_who_does_not_record_is_not_told_of() -> None:
    """A foreign writer's flag that its trace is not sampled holds here as well."""
    assert spans_of(predicted(slice_of(Traced(traceparent(FOREIGN, flags="00"))))) == []


def test_a_publication_is_a_span_for_each_trace_and_topic() -> None:
    """A session's file: one span for DataIngested, one for all its actuals, of the kind of producers."""
    payload = decode(Traced().at(0).value).payload
    records = [
        record_of(topic, "ingest", payload, beginning(payload, str(number), CHAIN))
        for number, topic in enumerate(["raw-data", "actuals", "actuals"])
    ]
    kept = InMemorySpanExporter()
    Spans(SimpleSpanProcessor(kept), "broker").tell("ingest", publication_spans(records, began=1))
    told = kept.get_finished_spans()
    assert [(s.name, s.kind) for s in told] == [
        ("send raw-data", SpanKind.PRODUCER),
        ("send actuals", SpanKind.PRODUCER),
    ]
    assert [(s.attributes or {})["messaging.batch.message_count"] for s in told] == [1, 2]
    assert [read(carried(r.headers)) for r in records[:2]] == [
        t.context for t in publication_spans(records, 1)
    ]


def test_a_collector_receives_spans_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed reaches the endpoint of the setting, past proxies, as a collector reads it."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{REFUSED}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with collector() as listening:
        settings = Settings(otlp_endpoint=listening.endpoint, partitions=1)
        processed(predicted(slice_of(Traced(traceparent(TRACE)), settings=settings)))
        payload = decode(Traced().at(0).value).payload
        record = record_of("raw-data", "ingest", payload, beginning(payload, "id", CHAIN))
        published(settings, "ingest", [record], began=1)
        spans = tracing._connected(listening.endpoint, settings.bootstrap)
        assert spans.flush()
    assert set(listening.paths) == {"/v1/traces"}
    assert [(service, span.name, span.trace_id.hex()) for service, span in listening.spans] == [
        ("predict", "process features", TRACE),
        ("ingest", "send raw-data", TRACE),
    ]
    assert listening.spans[0][1].parent_span_id.hex() == PARENT


def test_a_collector_that_is_away_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The slice is committed: that its span is lost is logged, and nothing else comes of it."""
    processor = to_collector(f"http://127.0.0.1:{REFUSED}/", seconds=0.2)
    spans = Spans(processor, "127.0.0.1:9092")
    spans.tell("predict", slice_spans(predicted(slice_of(Traced()))))
    assert spans.flush()
    assert "Failed to export" in caplog.text


def test_without_an_endpoint_nothing_is_told_and_no_sdk_is_loaded() -> None:
    """A process that exports nothing pays nothing."""
    code = (
        "import sys\n"
        "import infra.kafka.slices, infra.kafka.source, infra.kafka.redriving\n"
        "from infra.settings import Settings; from infra.tracing import published\n"
        "published(Settings(), 'ingest', [], 0)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://x", ""])
def test_an_endpoint_is_an_address_over_http(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is refused when the settings are read; an empty variable counts as not set."""
    monkeypatch.setenv("NEPSE_OTLP_ENDPOINT", endpoint)
    if not endpoint:
        assert Settings().otlp_endpoint is None
        return
    with pytest.raises(ValueError, match="otlp_endpoint"):
        Settings()


def test_ids_are_chosen_by_each_thread_for_itself() -> None:
    """Sensors of one process tell of their slices at the same time, and none gets the ids of another."""
    kept = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(kept), "127.0.0.1:9092")
    works = [predicted(slice_of(Traced(chain=f"chain {n}"), start=n)) for n in range(4)]

    def tell(work: Work) -> None:
        for _ in range(50):
            spans.tell("predict", slice_spans(work))

    threads = [threading.Thread(target=tell, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    wanted = {(one.trace_id, one.span_id) for work in works for one in work.trail.contexts}
    assert Counter(map(ids, kept.get_finished_spans())) == dict.fromkeys(wanted, 50)
