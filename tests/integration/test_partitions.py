"""A topic that gets more partitions under a running sensor, on a broker of this module's own."""

from collections.abc import Iterator

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from infra.errors import StopError
from infra.kafka import clients
from infra.settings import Settings
from infra.stack.conditions import conditions
from sensors import membership
from tests.copies import SPOTS, Copy, eventually, stand_at_the_end
from tests.desk import Desk

pytestmark = pytest.mark.stack


@pytest.fixture
def desk(own_servers: Settings) -> Iterator[Desk]:
    """A flow of this test, on servers of its own, since topics never get smaller again."""
    desk = Desk(own_servers)
    yield desk
    desk.close()


def stand_at_0(desk: Desk, *numbers: int) -> None:
    """Give the group progress on new partitions: it is not for its lack that the sensor stops."""
    producer = clients.producer(desk.settings, f"place-{desk.flow}")  # the pool asks how many there are
    producer.init_transactions()
    producer.begin_transaction()
    offsets = {TopicPartition("features", number): OffsetAndMetadata(0, "", -1) for number in numbers}
    producer.send_offsets_to_transaction(offsets, desk.flow)
    producer.commit_transaction()
    producer.close()


def test_more_partitions_stop_the_sensor(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys would move to other partitions: it says so, and what to do."""
    monkeypatch.setattr(membership, "METADATA_MS", 4_000)
    stand_at_the_end(desk)
    copy = Copy(desk, "one")
    try:
        eventually(lambda: copy.units == len(SPOTS), "it has all")
        admin = clients.admin(desk.settings)
        admin.create_partitions({"features": 5})
        admin.close()
        stand_at_0(desk, 3, 4)
        error = copy.ended()
    finally:
        copy.end()
    assert isinstance(error, StopError)
    assert "topic features has 5 partitions, expected 3: keys would move" in str(error)
    (told,) = [c for c in conditions(desk.settings) if c.sensor == f"sensor-{desk.flow}"]
    assert (told.state, "5 partitions" in told.why) == ("stopped", True)
