"""Open transactions as both sides know them: the coordinator, and the partitions themselves."""

import time
from typing import Any

from kafka import TopicPartition
from kafka.admin import TransactionState
from kafka.errors import TransactionalIdNotFoundError

from infra.kafka import open_transactions as module

SPOT, OTHER = TopicPartition("alerts", 0), TopicPartition("models", 0)


class Said:
    """Attributes as the client's named tuples have them."""

    def __init__(self, **said: Any) -> None:
        """Keep them."""
        self.__dict__.update(said)


class Broker:
    """An admin client whose coordinator knows `predict` (producer 1) and has forgotten `retrain` (2)."""

    def __init__(self, *, coordinated: bool) -> None:
        """Say whether the coordinator knows that `predict` has written to SPOT."""
        self.spots = {SPOT} if coordinated else set()

    def describe_producers(self, _: list[TopicPartition]) -> dict[TopicPartition, Said]:
        """Producer 1 has a transaction open in SPOT, producer 9 has none."""
        began = round(time.time() * 1000) - 5_000
        state = Said(producer_id=1, current_transaction_start_offset=7, last_timestamp=began)
        idle = Said(producer_id=9, current_transaction_start_offset=-1, last_timestamp=began)
        return {SPOT: Said(active_producers=[state]), OTHER: Said(active_producers=[idle])}

    def list_transactions(self) -> dict[int, list[Said]]:
        """Three ids, of which one is not open."""
        named = (("predict", 1, "ONGOING"), ("retrain", 2, "PREPARE_COMMIT"), ("monitor", 3, "EMPTY"))
        return {0: [Said(transactional_id=n, producer_id=i, state=TransactionState[s]) for n, i, s in named]}

    def describe_transactions(self, names: list[str]) -> dict[str, Said]:
        """Tell of `predict`; `retrain` is over by now."""
        if names != ["predict"]:
            raise TransactionalIdNotFoundError
        began = round(time.time() * 1000) - 9_000
        facts = {"transaction_timeout_ms": 60_000, "transaction_start_time_ms": began}
        said = Said(producer_id=1, state=TransactionState.ONGOING, topic_partitions=self.spots, **facts)
        return {"predict": said}


def told(*, coordinated: bool) -> list[tuple[Any, ...]]:
    """What is listed: id, places, seconds, whether the coordinator knows it."""
    found = module._all(Broker(coordinated=coordinated), [SPOT, OTHER], 30.0)
    return [(t.transactional_id, t.places, round(t.seconds), t.timeout, t.coordinated) for t in found]


def test_a_transaction_that_its_coordinator_knows_is_told_once() -> None:
    """What ended meanwhile, and what is not open, is left out."""
    assert told(coordinated=True) == [("predict", ("alerts-0",), 9, 60.0, True)]


def test_a_transaction_that_only_a_partition_knows_is_told_as_such() -> None:
    """This is the one that hangs for good: nobody will abort it."""
    expected = ("predict", ("alerts-0@7",), 5, 30.0, False)
    assert told(coordinated=False) == [("predict", (), 9, 60.0, True), expected]
