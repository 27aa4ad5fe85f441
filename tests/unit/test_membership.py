"""What a member makes of the broker's answers that seldom come."""

from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaTimeoutError, OffsetOutOfRangeError
from prometheus_client import REGISTRY

from infra.errors import StopError, SupersededError, UnstableError
from infra.kafka import clients
from infra.settings import load_settings
from infra.wiring import Route
from sensors.membership import Membership

SPOT = TopicPartition("features", 0)


class Consumer:
    """A client whose next poll fails, in a group that stands at 5 of a topic that holds `[first, 9)`."""

    def __init__(self) -> None:
        """Be settled, with a heart that beats."""
        self.failure: Exception | None = None
        self.lost: Exception | None = None
        self.first, self.partitions = 0, 3
        self.mine: set[TopicPartition] = set()
        self._coordinator = SimpleNamespace(
            stable=lambda: True, need_rejoin=lambda: False, _lock=Lock(), _heartbeat_enabled=True
        )

    def subscribe(self, topics: list[str]) -> None:
        """Follow topics."""

    def poll(self, **_: int) -> dict[Any, Any]:
        """Read nothing, or fail."""
        if failure := self.failure or self.lost:
            raise failure
        return {}

    def assignment(self) -> set[TopicPartition]:
        """Tell what is ours."""
        return self.mine

    def paused(self) -> set[TopicPartition]:
        """Read nothing of it."""
        return self.mine

    def partitions_for_topic(self, _: str) -> set[int]:
        """Tell the partitions of every topic."""
        return set(range(self.partitions))

    def committed(self, _: TopicPartition, **__: int) -> int:
        """Tell the group's progress, or fail."""
        if self.failure:
            raise self.failure
        return 5

    def beginning_offsets(self, spots: list[TopicPartition], **_: int) -> dict[TopicPartition, int]:
        """Tell what is kept."""
        return dict.fromkeys(spots, self.first)

    @staticmethod
    def end_offsets(spots: list[TopicPartition], **_: int) -> dict[TopicPartition, int]:
        """Tell what is there."""
        return dict.fromkeys(spots, 9)


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """The client that the member gets."""
    made = Consumer()
    monkeypatch.setattr(clients, "consumer", lambda *_, **__: made)
    return made


@pytest.fixture
def member(tmp_path: Path, consumer: Consumer) -> Membership:  # noqa: ARG001 - made in its place
    """A member that has not polled yet."""
    return Membership(load_settings(tmp_path), Route("sensor-predict", "predict", ("features",)))


def test_a_member_that_is_told_of_its_successor_is_superseded(member: Membership, consumer: Consumer) -> None:
    """The broker's own word for a name that somebody else has now."""
    consumer.failure = FencedInstanceIdError()
    with pytest.raises(SupersededError, match="NEPSE_INSTANCE"):
        member.keep()


def test_changes_of_the_assignment_are_counted(member: Membership, consumer: Consumer) -> None:
    """Once each, however often it is asked for."""
    before = REGISTRY.get_sample_value("nepse_rebalances_total", {"flow": "predict"}) or 0
    for mine in ({SPOT}, {SPOT}, set(), {SPOT}):
        consumer.mine = mine
        assert member.assigned() == mine
    assert REGISTRY.get_sample_value("nepse_rebalances_total", {"flow": "predict"}) == before + 3


def test_a_changed_number_of_partitions_stops(member: Membership, consumer: Consumer) -> None:
    """Keys would move; a topic that the client knows nothing of at the moment says nothing."""
    member.keep()
    member.polled, consumer.partitions = 0.0, 0
    member.keep()
    member.polled, consumer.partitions = 0.0, 4
    with pytest.raises(StopError, match="topic features has 4 partitions, expected 3: keys would move"):
        member.keep()


def test_a_position_out_of_range_stops_where_the_progress_is_out_of_range(
    member: Membership, consumer: Consumer
) -> None:
    """Records that were removed before they were read are missed; a position alone may lag behind."""
    consumer.lost = OffsetOutOfRangeError({SPOT: 2})
    member.keep()
    member.polled, consumer.first = 0.0, 7
    with pytest.raises(StopError, match="records 5 to 6 were removed before predict had read them"):
        member.keep()


def test_progress_that_a_transaction_holds_back_is_told_apart(member: Membership, consumer: Consumer) -> None:
    """The client is well, and waits for an offset that is neither committed nor aborted."""
    consumer.failure = KafkaTimeoutError()
    with pytest.raises(UnstableError, match="predict's progress on features-0 is not settled"):
        member.progress((SPOT,))
