"""Partitions that judge one version at the same time, on a real Postgres."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from events.envelope import Event, Metadata, derive_id
from events.payloads import ErrorComputed, ModelTrained
from infra.database import state
from infra.database.connection import engine
from infra.kafka.records import Place, Received
from infra.settings import Settings
from tasks.monitoring import FLOW, retraining_due

FIRST = date(2024, 3, 3)
DAYS = [FIRST + timedelta(n) for n in range(8)]


class Topic:
    """A topic: whoever asks for a retraining is about to commit, and nothing is visible yet."""

    def __init__(self, *payloads: Any) -> None:
        """Hold events."""
        self.entries = [SimpleNamespace(id=str(n), payload=payload) for n, payload in enumerate(payloads)]

    def refresh(self) -> int:
        """Tell the end."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[Any]:
        """List them."""
        return self.entries[start:end]

    @staticmethod
    def has(_: str) -> bool:
        """Know nothing."""
        return False


@pytest.fixture
def version() -> str:
    """A version that no other test judges."""
    return uuid.uuid4().hex


@pytest.fixture
def loop(servers: Settings, version: str) -> Any:
    """The database, and topics on which nobody has asked; the version promised an error of 1 %."""
    trained = ModelTrained(
        model_version=version, performance={"mape": 1.0}, features_used=[], artifact_location="s3://m"
    )
    return SimpleNamespace(
        training=Topic(), models=Topic(trained), database=engine(servers), rehearses=lambda _topic: False
    )


@pytest.fixture
def numbers() -> tuple[int, int]:
    """Two partitions that no other test writes to."""
    first = uuid.uuid4().int % 2**30
    return first, first + 1


def errors(version: str, partition: int) -> list[Received[ErrorComputed]]:
    """Eight sessions of one symbol with an error three times as large as promised."""
    found = []
    for offset, day in enumerate(DAYS):
        payload = ErrorComputed(
            symbol="A",
            date=day,
            actual=100.0,
            predicted=97.0,
            error=-3.0,
            abs_error=3.0,
            pct_error=3.0,
            model_version=version,
        )
        event = Event(datetime.now(UTC), "test", payload, Metadata(f"{partition}-{offset}", "chain"))
        found.append(Received(event, Place("errors", partition, offset), None, b""))
    return found


def judge(loop: Any, received: list[Received[ErrorComputed]]) -> list[Any]:
    """Judge a slice as the flow does; returns the places of the records that asked for a retraining."""
    ends = {r.place[:2]: r.place.offset + 1 for r in received}
    return [cause.place for cause, _ in retraining_due(loop, received, ends)]


def test_two_partitions_at_once_complain_of_a_version_once(
    loop: Any, version: str, numbers: tuple[int, int]
) -> None:
    """Neither sees the other's complaint on the topic; the first one owns it, whoever tries again."""
    one, two = (errors(version, number) for number in numbers)
    asked = judge(loop, one)
    assert [place.partition for place in asked] == [numbers[0]]
    assert judge(loop, two) == []
    assert judge(loop, one) == asked
    assert judge(loop, two) == []


def test_a_retry_with_other_boundaries_asks_as_well(
    loop: Any, version: str, numbers: tuple[int, int]
) -> None:
    """A failed attempt owns nothing that its partition could not publish later."""
    whole = errors(version, numbers[0])
    (first,) = judge(loop, whole)
    assert judge(loop, whole[: first.offset]) == []
    assert judge(loop, whole[first.offset + 1 :]) != []


def test_a_claim_has_one_owner_among_many_at_once(servers: Settings, numbers: tuple[int, int]) -> None:
    """Twenty rounds of two transactions that begin together: each time exactly one is told yes."""
    barrier = threading.Barrier(2)
    names = [derive_id(FLOW, uuid.uuid4().hex, "x") for _ in range(20)]

    def claim(partition: int) -> list[bool]:
        won = []
        for name in names:
            barrier.wait(30)
            won.append(state.claim(engine(servers), name, ("errors", partition, 7)))
        return won

    with ThreadPoolExecutor(2) as threads:
        mine, theirs = threads.map(claim, numbers)
    assert all(a != b for a, b in zip(mine, theirs, strict=True))


def test_errors_that_nobody_looks_back_at_are_forgotten(servers: Settings) -> None:
    """Counted from the newest session of the flow; those of other flows stay, and so does what is near."""
    where, flow, other = engine(servers), uuid.uuid4().hex, uuid.uuid4().hex
    days = [FIRST - timedelta(days=ago) for ago in (0, 400, 401, 2_000)]
    rows = [state.WindowInput("errors", 0, n, str(n), "A", day, {}) for n, day in enumerate(days)]
    for name in (flow, other):
        state.append_window(where, name, rows)
    assert state.prune_window(where, flow, timedelta(days=400)) == 2
    ends = {("errors", 0): len(rows)}
    assert [row.date for row in state.window(where, flow, date.min, ends)] == [days[1], days[0]]
    assert len(state.window(where, other, date.min, ends)) == len(rows)
    assert state.prune_window(where, uuid.uuid4().hex, timedelta(days=400)) == 0
    today = datetime.now(UTC).date()
    dated = [today, today - timedelta(days=300), today + timedelta(days=3_650)]
    mistaken = [state.WindowInput("errors", 0, n, str(n), "A", day, {}) for n, day in enumerate(dated)]
    state.append_window(where, late := uuid.uuid4().hex, mistaken)
    assert state.prune_window(where, late, timedelta(days=400)) == 0
