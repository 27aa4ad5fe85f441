"""A projector's loop, on a real broker and a real Postgres."""

import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest
from kafka import TopicPartition
from kafka.admin import NewTopic
from sqlalchemy import func, select

from events.envelope import Event, Metadata, encode
from events.payloads import ActualAvailable
from infra.database import connection, tables
from infra.errors import StopError, TryAgainError
from infra.kafka import clients
from infra.kafka.follow import Batch, follow
from infra.settings import Settings
from tasks.projections import follow_read_side

pytestmark = pytest.mark.stack

WITHIN = 60.0


@pytest.fixture
def topic(stack: Settings) -> str:
    """A topic of this test's own, with two partitions."""
    name = f"test-{uuid.uuid4().hex}"
    admin = clients.admin(stack)
    admin.create_topics([NewTopic(name, 2, 1)], wait_for_metadata=True)
    admin.close()
    return name


def send(settings: Settings, topic: str, values: list[bytes], *, commit: bool = True) -> None:
    """Publish in one transaction, value n to partition n % 2."""
    producer = clients.producer(settings, f"test-{uuid.uuid4().hex}")
    producer.init_transactions()
    producer.begin_transaction()
    for number, value in enumerate(values):
        producer.send(topic, value=value, partition=number % 2)
    producer.flush(timeout=30)
    producer.commit_transaction() if commit else producer.abort_transaction()
    producer.close()


@contextmanager
def running(target: Callable[[threading.Event], None], copies: int = 1) -> Iterator[threading.Event]:
    """Run loops in threads and see that they end when asked to."""
    stop = threading.Event()
    threads = [threading.Thread(target=target, args=(stop,), daemon=True) for _ in range(copies)]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {WITHIN} s"
        threading.Event().wait(0.05)


class Memory:
    """A projection that keeps rows and positions together, and can be away for some calls."""

    REASON = "away"

    def __init__(self, away: int = 0) -> None:
        """Refuse the first `away` batches: every other one only after it was stored."""
        self.values: list[bytes] = []
        self.at: dict[tuple[str, int], int] = {}
        self.away = away

    def positions(self, _places: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where to go on."""
        return dict(self.at)

    def apply(self, batch: Batch) -> None:
        """Store, or fail before or after storing."""
        self.away -= 1
        if self.away >= 0 and self.away % 2:
            raise TryAgainError(self.REASON)
        assert batch.starts == {place: self.at.get(place, 0) for place in batch.ends}
        self.values += [record.value for record in batch.records]
        self.at |= batch.ends
        if self.away >= 0:
            raise TryAgainError(self.REASON)


def test_committed_records_come_once_and_in_order(stack: Settings, topic: str) -> None:
    """Aborted records never show, markers are stepped over, and a target that fails gets no record twice."""
    memory = Memory(away=4)
    values = [f"{n:03}".encode() for n in range(100)]
    send(stack, topic, values[:60])
    send(stack, topic, [b"aborted"] * 10, commit=False)
    with running(lambda stop: follow(stack, [topic], memory.positions, memory.apply, stop)):
        until(lambda: len(memory.values) >= 60, "the first batch")
        send(stack, topic, values[60:])
        until(lambda: len(memory.values) >= 100, "the second batch")
    assert sorted(memory.values) == values
    for remainder in (0, 1):
        own = [value for value in memory.values if int(value) % 2 == remainder]
        assert own == sorted(own)


def test_what_was_aborted_at_the_end_is_passed(stack: Settings, topic: str) -> None:
    """Who waits for a projection to reach the end of a topic does so also where the last writer died."""
    memory = Memory()
    with running(lambda stop: follow(stack, [topic], memory.positions, memory.apply, stop)):
        send(stack, topic, [b"one", b"two"])
        until(lambda: len(memory.values) >= 2, "the records")
        send(stack, topic, [b"aborted"] * 4, commit=False)
        until(lambda: memory.at == {(topic, 0): 5, (topic, 1): 5}, "the end, behind two markers")
    assert memory.values == [b"one", b"two"]


def test_a_restart_goes_on_behind_the_last_marker(stack: Settings, topic: str) -> None:
    """The stored positions are enough: nothing is read again."""
    memory = Memory()
    for value in (b"one", b"two"):
        send(stack, topic, [value])
        with running(lambda stop: follow(stack, [topic], memory.positions, memory.apply, stop)):
            until(lambda value=value: value in memory.values, "the record")
    assert memory.values == [b"one", b"two"]


def test_a_projection_ahead_of_its_topic_stops(stack: Settings, topic: str) -> None:
    """A topic that was made anew under a projection is a person's business."""
    memory = Memory()
    memory.at = {(topic, 0): 500}
    with pytest.raises(StopError, match=f"at 500 of {topic}-0, which ends at 0"):
        follow(stack, [topic], memory.positions, memory.apply, threading.Event())


def test_a_projection_behind_what_is_kept_stops(stack: Settings, topic: str) -> None:
    """Records that were deleted before they were projected are not stepped over silently."""
    memory = Memory()
    memory.at = {(topic, 0): 1}
    send(stack, topic, [b"gone"] * 20)
    admin = clients.admin(stack)
    admin.delete_records({TopicPartition(topic, 0): 5})
    admin.close()
    with pytest.raises(StopError, match="never saw"):
        follow(stack, [topic], memory.positions, memory.apply, threading.Event())


def closes(count: int) -> tuple[str, list[bytes]]:
    """Make events of a symbol that nobody else has."""
    symbol = f"ZZ{uuid.uuid4().hex[:12].upper()}"
    values = []
    for number in range(count):
        name = f"{symbol}-{number}"
        payload = ActualAvailable(symbol=symbol, date=date(2024, 3, 3), actual_close=float(number))
        metadata = Metadata(event_id=name, correlation_id=name)
        values.append(
            encode(Event(timestamp=datetime.now(UTC), producer="test", payload=payload, metadata=metadata))
        )
    return symbol, values


def counted(settings: Settings, symbol: str) -> tuple[int, int]:
    """Count a symbol's rows on the read side, and the events among them."""
    table = tables.actuals.c
    query = select(func.count(), func.count(table.event_id.distinct())).where(table.symbol == symbol)
    with connection.engine(settings).connect() as open_:
        rows, ids = open_.execute(query).one()
        return rows, ids


DYING = """
import os, signal, sys
from pathlib import Path
from threading import Event
from infra.database import projected
from infra.settings import load_settings
from tasks.projections import follow_read_side

projected.copy_rows = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
follow_read_side(load_settings(Path(sys.argv[1])), Event())
"""


def test_a_projector_that_dies_between_positions_and_rows(servers: Settings) -> None:
    """The positions were moved, no row was written: both are undone, and the next one does each row once."""
    symbol, values = closes(50)
    send(servers, "actuals", values)
    for _ in range(2):
        died = subprocess.run([sys.executable, "-c", DYING, str(servers.home)], timeout=90, check=False)
        assert died.returncode == -signal.SIGKILL
        assert counted(servers, symbol) == (0, 0)
    with running(lambda stop: follow_read_side(servers, stop)):
        until(lambda: counted(servers, symbol)[0] >= len(values), "the rows")
    assert counted(servers, symbol) == (len(values), len(values))


def test_two_projectors_at_once_lose_and_double_nothing(stack: Settings) -> None:
    """Rows reach the read side once, though a second process projects the same records."""
    symbol, values = closes(200)
    connection.create(stack)
    with running(lambda stop: follow_read_side(stack, stop), copies=2):
        send(stack, "actuals", [*values, *values[:50]])
        until(lambda: counted(stack, symbol)[0] >= len(values), "the rows")
    assert counted(stack, symbol) == (len(values), len(values))
