"""Trace context in headers: what is read of it, what is written, and that hostile values stay harmless."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import decode, derive_id
from infra.kafka.letters import letter_of
from infra.kafka.records import Run, dead_letter
from infra.kafka.work import beginning, record_of
from infra.trace_context import HEADER, TraceContext, carried, read, source_headers, trace_of
from tests.traced import CHAIN, FOREIGN, PARENT, TRACE, Traced, predicted, slice_of, traceparent

VALID = f"00-{TRACE}-{PARENT}-01".encode()
HEADERS = st.lists(
    st.tuples(st.sampled_from([HEADER, "Traceparent", "tracestate", ""]), st.none() | st.binary(max_size=80))
)


def context_of(record: object) -> TraceContext:
    """Read the context that a record was given."""
    found = read(carried(record.headers))  # type: ignore[attr-defined]
    assert found is not None
    return found


def test_a_valid_value_is_read() -> None:
    """Trace, parent and flags come as they were written, and are written as they came."""
    found = read(VALID)
    assert found == TraceContext(TRACE, PARENT, "01")
    assert found.headers == ((HEADER, VALID),)


def test_a_later_version_may_say_more() -> None:
    """The standard has readers take the first four fields of a version that they do not know."""
    assert read(f"cc-{TRACE}-{PARENT}-01-what-ever".encode()) == TraceContext(TRACE, PARENT, "01")


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"00",
        VALID.upper(),
        VALID + b"-more",
        VALID + b"\n",
        b" " + VALID,
        VALID.replace(b"00-", b"ff-", 1),
        f"00-{'0' * 32}-{PARENT}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE[1:]}-{PARENT}-01".encode(),
        VALID.replace(b"1", "१".encode()),
    ],
)
def test_what_the_standard_forbids_is_nothing(value: bytes | None) -> None:
    """No context is read from it."""
    assert read(value) is None


@given(st.binary(max_size=80) | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.*"))
def test_any_bytes_are_nothing_or_a_context_that_reads_back(value: bytes) -> None:
    """Whatever comes, reading it raises nothing, and what is passed on has the standard's form."""
    found = read(value)
    if found is not None:
        assert read(carried(found.headers)) == found
        assert re.fullmatch(rb"00(-[0-9a-f]+){3}", carried(found.headers) or b"")


def test_a_trace_has_the_digits_of_its_chains_id() -> None:
    """Whoever knows an event's correlation id knows where to look."""
    assert trace_of(CHAIN) == TRACE == CHAIN.replace("-", "")
    assert trace_of(derive_id("ingest", "a", "b")) == derive_id("ingest", "a", "b").replace("-", "")


@given(st.text() | st.just("00000000-0000-0000-0000-000000000000"))
def test_any_correlation_id_has_one_valid_trace(name: str) -> None:
    """The same id gives the same trace, which the standard allows."""
    context = TraceContext(trace_of(name), PARENT)
    assert read(carried(context.headers)) == context
    assert trace_of(name) == context.trace_id


def test_what_follows_is_in_the_trace_of_its_chain() -> None:
    """A record without headers, or with our own, leads to results in the trace of the correlation id."""
    work = predicted(slice_of(Traced(), Traced(traceparent(TRACE))))
    first, second = map(context_of, work.outgoing)
    assert first == second == TraceContext(TRACE, work.trail.span_id)


def test_results_of_one_chain_share_one_tuple_of_headers() -> None:
    """Thousands of records cost one context."""
    work = predicted(slice_of(Traced(), Traced()))
    assert work.outgoing[0].headers is work.outgoing[1].headers


def test_a_foreign_trace_goes_on() -> None:
    """Another writer's valid header wins, for what follows from that record alone; its flags are kept."""
    work = predicted(slice_of(Traced(traceparent(FOREIGN, flags="00")), Traced()))
    foreign, own = map(context_of, work.outgoing)
    assert foreign == TraceContext(FOREIGN, work.trail.span_id, "00")
    assert own == TraceContext(TRACE, work.trail.span_id)


def test_a_slice_taken_again_says_the_same() -> None:
    """A retry, or a replay, has the headers of the first attempt; another slice has another span."""
    first, again, other = (predicted(slice_of(Traced(), start=start)) for start in (0, 0, 7))
    assert first.outgoing[0].headers == again.outgoing[0].headers
    assert context_of(other.outgoing[0]).trace_id == TRACE
    assert context_of(other.outgoing[0]).span_id != first.trail.span_id


@given(HEADERS, st.text(min_size=1, max_size=40).filter(lambda name: "\x00" not in name))
def test_hostile_headers_change_no_event(headers: list[tuple[str, bytes | None]], chain: str) -> None:
    """Whatever headers a record carries, it is read, and what follows is valid and the same event."""
    plain, hostile = (predicted(slice_of(Traced(h, chain))) for h in ((), headers))
    assert [decode(out.value).id for out in hostile.outgoing] == [decode(o.value).id for o in plain.outgoing]
    assert all(read(carried(out.headers)) for out in hostile.outgoing)


@given(HEADERS)
def test_a_dead_letter_keeps_a_valid_trace_only(headers: list[tuple[str, bytes | None]]) -> None:
    """Who tries the letter again goes on in the trace; nothing else of the headers is taken over."""
    record = Traced(headers, value=b"no event").at(3)
    letter = dead_letter(Run("predict", "run-1"), record, "not JSON", None)
    named = [value for name, value in letter.headers if name == HEADER]
    came = read(carried(headers))
    assert named == ([came.headers[0][1]] if came else [])


def test_a_letter_is_read_with_its_trace() -> None:
    """What `nepse dlq show` gives names the trace that the original came in."""
    sent = dead_letter(Run("predict", "r"), Traced(traceparent(TRACE), value=b"x").at(0), "not JSON", None)
    found = letter_of(Traced(sent.headers, value=sent.value))  # type: ignore[arg-type]
    assert found is not None
    assert found.as_dict()["traceparent"] == VALID.decode()


def test_a_publisher_begins_the_trace() -> None:
    """What follows from no record is in the trace of its chain, each topic under a span of its own."""
    vector = decode(Traced().at(0).value).payload
    records = [
        record_of(topic, "ingest", vector, beginning(vector, f"id {topic}", CHAIN))
        for topic in ("raw-data", "actuals")
    ]
    first, second = map(context_of, records)
    assert (first.trace_id, second.trace_id) == (TRACE, TRACE)
    assert first.span_id != second.span_id
    assert records[0].headers == source_headers("ingest", "raw-data", CHAIN)
