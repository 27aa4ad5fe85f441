"""Publishing records as a person gives them, each acknowledged by all in-sync brokers."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from infra.errors import RejectError, TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import end
from infra.settings import Settings

IN_FLIGHT = 1_000
"""Records sent before the first of them has to be acknowledged."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a record was written."""

    partition: int
    offset: int


def emit(settings: Settings, topic: str, key: bytes | None, values: Iterable[bytes]) -> list[Sent]:
    """Publish values, bytes untouched; returns where each of them lies, in their order.

    Raises:
        RejectError: the broker or the client refuses a record; those before it are published.
        TryAgainError: no broker, or a record was not acknowledged in time.
    """
    producer = clients.plain_producer(settings)
    try:
        return _send_all(settings, producer, topic, key, values)
    finally:
        end(producer)  # what was to be acknowledged is, or was told: nothing to wait for


def _send_all(
    settings: Settings, producer: KafkaProducer, topic: str, key: bytes | None, values: Iterable[bytes]
) -> list[Sent]:
    futures: list[Any] = []
    sent: list[Sent] = []
    for number, value in enumerate(values, 1):
        try:
            futures.append(producer.send(topic, value, key))
        except KafkaError as error:
            sent += _acknowledged(settings, producer, futures, len(sent))
            raise _refusal(number, error, len(sent)) from error
        if len(futures) >= IN_FLIGHT:
            sent += _acknowledged(settings, producer, futures, len(sent))
            futures.clear()
    return sent + _acknowledged(settings, producer, futures, len(sent))


def _acknowledged(settings: Settings, producer: KafkaProducer, futures: list[Any], before: int) -> list[Sent]:
    """Wait for every acknowledgement of what is under way."""
    seconds = settings.delivery_timeout_ms / 1000
    with suppress(KafkaTimeoutError):  # below each record tells for itself
        producer.flush(timeout=seconds)
    found: list[Sent] = []
    for number, future in enumerate(futures, before + 1):
        try:
            place = future.get(timeout=seconds)
        except KafkaError as error:
            raise _refusal(number, error, before + len(found)) from error
        found.append(Sent(place.partition, place.offset))
    return found


def _refusal(number: int, error: KafkaError, sent: int) -> RejectError | TryAgainError:
    kind = TryAgainError if getattr(error, "retriable", False) else RejectError
    return kind(f"record {number} was not published ({error}); the {sent} before it were")
