"""How far flows are, also where their progress lies outside of what a topic holds."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from events.payloads import OffsetRange
from infra.kafka import clients, lag
from infra.settings import Settings
from infra.wiring import Route
from tests.copies import pour, stand_at_the_end
from tests.desk import Desk

pytestmark = pytest.mark.stack

SPOT = TopicPartition("errors", 1)


@pytest.fixture
def desk(own_servers: Settings) -> Iterator[Desk]:
    """A flow of this test, on servers of its own, since it removes records."""
    desk = Desk(own_servers)
    yield desk
    desk.close()


def test_a_gap_is_told_and_not_stumbled_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told to look at 'nepse lag' after records were removed finds the numbers there."""
    producer = desk.pool.new_producer(f"feed-{desk.flow}").producer
    producer.begin_transaction()
    sent = [producer.send("errors", value=b"{}", partition=1) for _ in range(5)]
    producer.commit_transaction()
    producer.close()
    first = sent[0].get(timeout=10).offset
    admin = clients.admin(desk.settings)
    admin.delete_records({SPOT: first + 3})
    admin.close()
    monkeypatch.setattr(lag, "routes", lambda: [Route("sensor-test", desk.flow, ("errors",))])
    end = desk.end("errors", 1)
    for at, behind in ((first, end - first), (end + 9, 0)):
        desk.admin_group.assign([SPOT])
        desk.admin_group.commit({SPOT: OffsetAndMetadata(at, "", -1)})
        row = next(row for row in lag.lags(desk.settings) if row.partition == 1)
        assert (row.committed, row.end, row.lag) == (at, end, behind)
        assert (row.seconds_behind > 0) == (behind > 0)


def test_a_commit_counts_for_its_own_partition(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger's ranges tell which partition got on; records of another one wait on."""
    stand_at_the_end(desk)
    pour(desk, 1)
    desk.work(OffsetRange(topic="features", partition=0, start=desk.at or 0, end=desk.end()))
    monkeypatch.setattr(lag, "routes", lambda: [Route("sensor-test", desk.flow, ("features",))])
    far = lag.progress(desk.settings)[desk.flow]
    assert [(one.lag > 0, one.last_commit is not None) for one in far.standings] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert far.longest_stuck(datetime.now(UTC)).partition > 0
    assert far.last_commit == far.standings[0].last_commit
