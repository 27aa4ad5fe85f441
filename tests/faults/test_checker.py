"""The checker on real topics with real transactions: clean without a fault, and it finds each planted one."""

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from infra.settings import Settings
from tests.faults import checker, journal
from tests.faults.journal import Place


class Bench:
    """An input and an output topic of one test, and a flow that may do wrong."""

    def __init__(self, bootstrap: str) -> None:
        """Make topics that nobody else writes to."""
        self.bootstrap, self.name = bootstrap, uuid.uuid4().hex[:8]
        self.topics = [f"inputs-{self.name}", f"outputs-{self.name}"]
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        admin.create_topics([NewTopic(topic, 1, 1) for topic in self.topics], wait_for_metadata=True)
        admin.close()
        self.producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=f"bench-{self.name}",
            acks="all",
            retry_backoff_ms=10,
        )
        self.producer.init_transactions()

    def inputs(self, number: int, *, commit: bool = True) -> list[Place]:
        """Write inputs of one symbol in one transaction."""
        return self._write([(self.topics[0], f"in-{uuid.uuid4().hex}", "given", None)] * number, commit)

    def outputs(self, causes: list[Place], names: list[str] | None = None) -> list[Place]:
        """Write one output a cause."""
        ids = names or [f"out-{uuid.uuid4().hex}" for _ in causes]
        return self._write(
            [(self.topics[1], name, "flow", c) for name, c in zip(ids, causes, strict=True)], commit=True
        )

    def _write(self, rows: list[tuple[str, str, str, Place | None]], commit: bool) -> list[Place]:
        self.producer.begin_transaction()
        sent = [
            self.producer.send(row[0], key=b"A", value=_event(number, *row[1:]))
            for number, row in enumerate(rows)
        ]
        self.producer.flush()
        self.producer.commit_transaction() if commit else self.producer.abort_transaction()
        return [Place(row[0], 0, future.value.offset) for row, future in zip(rows, sent, strict=True)]

    def kinds(self, planted: Iterable[Place] = ()) -> list[str]:
        """Judge what lies on the topics, but for what a test says it wrote there itself."""
        duty = checker.Duty("flow", self.topics[0], "Given", self.topics[1], checker.symbol_of)
        told = journal.read(self.bootstrap, self.topics)
        return sorted(finding.kind for finding in checker.check(told, [duty], frozenset(planted)))


def _event(number: int, name: str, producer: str, cause: Place | None) -> bytes:
    metadata: dict[str, Any] = {"event_id": name if producer == "flow" else f"{name}-{number}"}
    if cause:
        metadata["causation"] = {**cause._asdict(), "event_id": "any"}
    kind = "Given" if producer == "given" else "Made"
    body = {"event_type": kind, "producer": producer, "payload": {"symbol": "A"}, "metadata": metadata}
    return json.dumps(body).encode()


@pytest.fixture
def bench(servers: Settings) -> Iterator[Bench]:
    """Topics of this test."""
    bench = Bench(servers.bootstrap)
    yield bench
    bench.producer.close()


def test_what_is_right_is_clean(bench: Bench) -> None:
    """One output an input, an aborted input that nobody used, an aborted output."""
    given = bench.inputs(5)
    bench.inputs(2, commit=False)
    bench.outputs(given)
    assert bench.kinds() == []


def test_a_loss_is_found(bench: Bench) -> None:
    """An input without an output."""
    bench.outputs(bench.inputs(3)[:2])
    assert bench.kinds() == ["lost"]


def test_a_duplicate_is_found(bench: Bench) -> None:
    """The same output again: too many for its cause, and one id twice."""
    given = bench.inputs(2)
    bench.outputs(given, ["one", "two"])
    bench.outputs(given[1:], ["two"])
    assert bench.kinds() == ["duplicated", "duplicated"]


def test_what_a_test_wrote_itself_is_no_finding(bench: Bench) -> None:
    """A copy beside the flow's outputs is nobody's work; a real repeat next to it still is."""
    given = bench.inputs(2)
    bench.outputs(given, ["one", "two"])
    copies = bench.outputs(given, ["one", "two"])
    assert bench.kinds(copies) == []
    bench.outputs(given[1:], ["two"])
    assert bench.kinds(copies) == ["duplicated", "duplicated"]


def test_a_reordering_is_found(bench: Bench) -> None:
    """An output of a key that stands behind that of a later cause."""
    first, second, third = bench.inputs(3)
    bench.outputs([first, third, second])
    assert bench.kinds() == ["reordered"]


def test_an_aborted_read_is_found(bench: Bench) -> None:
    """An output that was made from a record of an aborted transaction."""
    given, aborted = bench.inputs(1), bench.inputs(1, commit=False)
    bench.outputs([*given, *aborted])
    assert bench.kinds() == ["aborted-read"]


def test_an_open_transaction_is_found(bench: Bench) -> None:
    """A partition that is not stable to its end, and a transaction that somebody left."""
    bench.producer.begin_transaction()
    bench.producer.send(bench.topics[0], key=b"A", value=b"{}").get(timeout=10)
    assert set(bench.kinds()) == {"open-transaction"}
    bench.producer.abort_transaction()


@pytest.mark.parametrize(
    ("spans", "at", "expected"),
    [
        ([(0, 5), (5, 9)], 9, []),
        ([(0, 5), (6, 9)], 9, ["gap"]),
        ([(0, 5), (4, 9)], 9, ["overlap"]),
        ([(0, 5)], 9, ["progress"]),
        ([], None, ["progress"]),
    ],
)
def test_the_ledger_has_to_tile(spans: list[tuple[int, int]], at: int | None, expected: list[str]) -> None:
    """A gap, an overlap and progress that the ledger does not know are told apart."""
    entries = [_entry(number, *span) for number, span in enumerate(spans)]
    told = journal.Journal({"slices": entries}, {}, {}, {})
    assert [f.kind for f in checker.tiling(told, "flow", ("features", 0), 0, at)] == expected


def _entry(number: int, start: int, end: int) -> journal.Record:
    ranges = [{"topic": "features", "partition": 0, "start": start, "end": end}]
    body = {"event_type": "SliceCommitted", "payload": {"flow": "flow", "ranges": ranges}}
    return journal.Record(Place("slices", 0, number), b"flow", json.dumps(body).encode())
