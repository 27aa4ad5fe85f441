"""Traces on a real broker: from the file to the error, through others' events and through dead letters."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from infra import bootstrap
from infra.kafka import clients
from infra.kafka.letters import read_letters
from infra.kafka.records import Run
from infra.kafka.slices import open_slice
from infra.settings import Settings
from infra.trace_context import carried, trace_of
from infra.trace_context import read as read_context
from infra.wiring import Route
from tasks import redriving
from tasks.redriving import Choice, chosen, retry
from tasks.work import Account
from tests.desk import Desk, predict, vector
from tests.traced import FOREIGN, Collector, collector, traceparent

ACTUAL = {"symbol": "TRACED", "date": "2023-06-01", "actual_close": 101.0}
PREDICTION = {"symbol": "TRACED", "date": "2023-06-01", "predicted_close": 100.0, "model_version": "v0"}


@pytest.fixture
def told(servers: Settings) -> Iterator[tuple[Desk, Collector]]:
    """A flow of this test whose spans go to a collector."""
    with collector() as listening:
        desk = Desk(servers.model_copy(update={"otlp_endpoint": listening.endpoint}))
        yield desk, listening
        desk.close()


def made_by(desk: Desk) -> list[Any]:
    """Read the records that a flow published on `predictions`, with their headers."""
    reader: KafkaConsumer = clients.consumer(desk.settings)
    spot, found = TopicPartition("predictions", 0), list[Any]()
    end = desk.end("predictions")
    reader.assign([spot])
    reader.seek(spot, 0)
    while reader.position(spot) < end:
        found += [record for batch in reader.poll(timeout_ms=300).values() for record in batch]
    reader.close(autocommit=False)
    return [record for record in found if desk.flow.encode() in (record.value or b"")]


def test_a_committed_slice_reaches_a_collector(told: tuple[Desk, Collector]) -> None:
    """The span that a collector receives has the ids that the results carry in their headers."""
    desk, listening = told
    desk.work(desk.feed(vector(), headers=traceparent(FOREIGN)))
    assert listening.came.wait(20)
    (service, span), *_ = listening.spans
    assert (service, span.name) == (desk.flow, "process features")
    (record,) = made_by(desk)
    said = read_context(carried(record.headers))
    assert said is not None
    assert (span.trace_id.hex(), span.span_id.hex()) == (said.trace_id, said.span_id)
    assert said.trace_id == FOREIGN


def test_a_dead_letter_hands_its_trace_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows from a letter that is tried again is in the trace that the original came in."""
    span = desk.feed(vector(), headers=traceparent(FOREIGN))
    with open_slice(desk.pool, Run(desk.flow, "live"), [span]) as work:
        for received in work.read():
            work.reject(received, "the model is not there")
        work.commit()
    (letter,) = [one for one in read_letters(desk.settings) if one.flow == desk.flow]
    assert letter.traceparent == traceparent(FOREIGN)[0][1].decode()

    def succeed(_: Any, work: Any) -> Account:
        for received in work.read():
            predict(work, received)
        return Account()

    monkeypatch.setattr(redriving, "routes", lambda: (Route("sensor", desk.flow, ("features",)),))
    loop = bootstrap.Loop(desk.settings)
    (line,) = retry(loop, chosen(loop, Choice(flow=desk.flow)), {desk.flow: succeed})
    loop.close()
    assert line.outcome == "resolved"
    (record,) = made_by(desk)
    said = read_context(carried(record.headers))
    assert said is not None
    assert said.trace_id == FOREIGN


@pytest.mark.stack
def test_a_trace_leads_from_the_file_to_the_error(market: Path, read: Any) -> None:
    """What was ingested, its actuals and their errors carry one trace, named by their correlation id."""
    assert market.is_dir()
    error = read("errors", lambda e: e["event_type"] == "ErrorComputed" and e["producer"] == "join-errors")
    chain = error["event"]["metadata"]["correlation_id"]
    same = lambda e: e.get("metadata", {}).get("correlation_id") == chain  # noqa: E731
    steps = [error, *(read(topic, same) for topic in ("raw-data", "actuals", "features"))]
    named = [step["headers"]["traceparent"].split("-") for step in steps]
    assert {trace for _, trace, _, _ in named} == {trace_of(chain)}
    assert len({span for _, _, span, _ in named}) == len(steps)


@pytest.mark.stack
def test_a_foreign_trace_goes_on_to_the_error(stack: Settings, read: Any) -> None:
    """Another system sends an actual in a trace of its own: the error is in that trace."""
    producer = clients.plain_producer(stack)
    for topic, kind, payload, headers in (
        ("predictions", "PredictionMade", PREDICTION, []),
        ("actuals", "ActualAvailable", ACTUAL, list(traceparent(FOREIGN))),
    ):
        value = {
            "event_type": kind,
            "timestamp": "2023-06-01T10:15:00Z",
            "producer": "x",
            "payload": payload,
        }
        producer.send(topic, json.dumps(value).encode(), b"TRACED", headers=headers).get(timeout=20)
    producer.close()
    error = read("errors", lambda e: e["payload"].get("symbol") == "TRACED")
    assert error["headers"]["traceparent"].split("-")[1] == FOREIGN
