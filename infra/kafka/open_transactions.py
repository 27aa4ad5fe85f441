"""Transactions that are under way, as their coordinator knows them and as the partitions hold them."""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import TransactionState
from kafka.errors import TransactionalIdNotFoundError

from events.topics import TOPICS
from infra.kafka import clients
from infra.kafka.bounded import answered
from infra.kafka.scanning import ASK_SECONDS, spots_of
from infra.settings import Settings

OPEN = [
    TransactionState.ONGOING,
    TransactionState.PREPARE_COMMIT,
    TransactionState.PREPARE_ABORT,
    TransactionState.PREPARE_EPOCH_FENCE,
]


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that is not over; `coordinated` is False where only a partition knows of it."""

    transactional_id: str
    state: str
    seconds: float
    """Since it began, or since the last record of one that only a partition knows of."""
    timeout: float
    """Seconds after which the broker aborts it by itself."""
    places: tuple[str, ...]
    coordinated: bool = True


def open_transactions(settings: Settings) -> list[OpenTransaction]:
    """List what is under way; the client's own `find_hanging_transactions` sees the coordinator's side only.

    Raises:
        TryAgainError: the broker does not answer.
    """
    with clients.answering(settings):
        admin = clients.admin(settings)
        try:
            ask = partial(_all, admin, spots_of(settings, TOPICS), settings.transaction_timeout_ms / 1000)
            return answered(ask, 2 * ASK_SECONDS, "the open transactions")
        finally:
            admin.close()


def _all(admin: KafkaAdminClient, spots: list[TopicPartition], timeout: float) -> list[OpenTransaction]:
    held = admin.describe_producers(spots)  # before the coordinators: what ends in between is no orphan
    listed = [one for found in admin.list_transactions().values() for one in found]
    names = {one.producer_id: one.transactional_id for one in listed}
    known: list[OpenTransaction] = []
    covered: set[tuple[int, TopicPartition]] = set()
    for one in listed:
        if one.state in OPEN:
            with suppress(TransactionalIdNotFoundError):  # over and forgotten meanwhile
                said = admin.describe_transactions([one.transactional_id])[one.transactional_id]
                covered |= {(said.producer_id, spot) for spot in said.topic_partitions}
                known.append(_coordinated(one.transactional_id, said))
    return known + [
        OpenTransaction(
            names.get(state.producer_id, f"producer {state.producer_id}"),
            "unknown to its coordinator",
            _age(state.last_timestamp),
            timeout,
            (f"{spot.topic}-{spot.partition}@{state.current_transaction_start_offset}",),
            coordinated=False,
        )
        for spot, found in held.items()
        for state in found.active_producers
        if state.current_transaction_start_offset >= 0 and (state.producer_id, spot) not in covered
    ]


def _coordinated(name: str, said: Any) -> OpenTransaction:
    places = tuple(sorted(f"{spot.topic}-{spot.partition}" for spot in said.topic_partitions))
    return OpenTransaction(
        name,
        said.state.value,
        _age(said.transaction_start_time_ms),
        said.transaction_timeout_ms / 1000,
        places,
    )


def _age(milliseconds: int) -> float:
    return max(0.0, time.time() - milliseconds / 1000) if milliseconds > 0 else 0.0
