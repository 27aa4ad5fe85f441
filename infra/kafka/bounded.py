"""A bound on calls that have none.

kafka-python's commit, abort and send_offsets have no time-out; and any call may wait for ever on the client's
own I/O thread: seen under load with 3.0.12, a poll of 150 ms that did not return in minutes.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from infra.errors import OutcomeUnknownError, TryAgainError

T = TypeVar("T")

CLOSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


def bounded(
    call: Callable[[], T], seconds: float, what: str, meanwhile: Callable[[], None] = lambda: None
) -> T:
    """Run `call` in a thread of its own and give up on it after `seconds`; `meanwhile` runs beside it.

    Raises:
        OutcomeUnknownError: no answer came in time; the thread is left behind as a daemon.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  (handed to the caller below)
            failures.append(error)

    worker = threading.Thread(target=copy_context().run, args=(run,), name=what, daemon=True)
    worker.start()
    meanwhile()
    worker.join(seconds)
    if worker.is_alive():
        message = f"{what} gave no answer within {seconds:g} s: its outcome is unknown until the next attempt"
        raise OutcomeUnknownError(message)
    if failures:
        raise failures[0]
    return results[0]


def answered(call: Callable[[], T], seconds: float, what: str) -> T:
    """Do the same for a call that changes nothing, so that it can simply be tried again.

    Raises:
        TryAgainError: no answer came in time.
    """
    try:
        return bounded(call, seconds, what)
    except OutcomeUnknownError as error:
        message = f"{what} gave no answer within {seconds:g} s"
        raise TryAgainError(message) from error


def close(client: KafkaConsumer) -> None:
    """Close a consumer, which may hang as any call may: then it is left to the end of the process."""
    with suppress(TryAgainError, KafkaError):
        answered(partial(client.close, autocommit=False), CLOSE_SECONDS, "closing a consumer")


def end(producer: KafkaProducer) -> None:
    """End a producer at once, and with it what it had pending; never raises, never waits for long."""
    try:
        answered(partial(_end, producer), CLOSE_SECONDS, "ending a producer")
    except Exception as error:  # noqa: BLE001  (what made it necessary is what has to be told)
        _log.warning("a producer was left to the end of the process: %s", error)


def _end(producer: KafkaProducer) -> None:
    """Force the sender first: kafka-python 3.0.12's `close` flushes, and raises, before it would do so."""
    sender = producer._sender  # noqa: SLF001  (nothing public ends a producer that has something pending)
    sender.force_close()
    sender.join(CLOSE_SECONDS / 2)
    producer.close(timeout=0)
