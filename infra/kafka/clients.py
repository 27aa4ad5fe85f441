"""Kafka clients as this system uses them: never auto-commit, never read what is not committed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.codec import has_zstd
from kafka.errors import KafkaConfigurationError, KafkaError

from infra.errors import StopError, TryAgainError
from infra.kafka.bounded import answered
from infra.kafka.mended import mended
from infra.settings import Settings

T = TypeVar("T")

REQUEST_TIMEOUT_MS = 15_000
BOOTSTRAP_TIMEOUT_MS = 6_000
"""How long a new client looks for the broker; its own default is 30 s, also where nobody listens."""
MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Of a record before it is compressed: the client judges it when it is sent."""
COMPRESSION = "zstd" if has_zstd() else None
"""How flows compress their batches (docs/decisions/0014); all readers of a stack need the codec then."""


def consumer(settings: Settings, *, group: str | None = None, **options: Any) -> KafkaConsumer:
    """Make a consumer, of committed records if nothing else is said; keys and values stay bytes.

    Raises:
        TryAgainError: no broker.
    """
    made = _connect(
        KafkaConsumer,
        settings,
        group_id=group,
        client_id=options.pop("client_id", "nepse"),
        enable_auto_commit=False,
        auto_offset_reset="none",
        **{
            "isolation_level": "read_committed",
            "session_timeout_ms": settings.session_timeout_ms,
            **options,
        },
    )
    return mended(made)


def producer(settings: Settings, transactional_id: str) -> KafkaProducer:
    """Make a transactional producer; `init_transactions` is the caller's. Raises TryAgainError: no broker."""
    return _connect(
        KafkaProducer,
        settings,
        client_id=transactional_id,
        transactional_id=transactional_id,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        delivery_timeout_ms=settings.delivery_timeout_ms,
        request_timeout_ms=_request_ms(settings),
        max_block_ms=_block_ms(settings),
        acks="all",
        retry_backoff_ms=10,
        linger_ms=20,
        batch_size=1024 * 1024,
        compression_type=COMPRESSION,
        max_request_size=MAX_REQUEST_BYTES,
    )


def plain_producer(settings: Settings) -> KafkaProducer:
    """Make a producer without transactions, for what people send. Raises TryAgainError: no broker."""
    return _connect(
        KafkaProducer,
        settings,
        client_id="nepse-emit",
        delivery_timeout_ms=settings.delivery_timeout_ms,
        request_timeout_ms=_request_ms(settings),
        max_block_ms=_block_ms(settings),
        acks="all",
        enable_idempotence=True,
        retry_backoff_ms=10,
        linger_ms=5,
        batch_size=64 * 1024,
        max_request_size=MAX_REQUEST_BYTES,
    )


def _request_ms(settings: Settings) -> int:
    """Leave time for a second request within a record's delivery time-out."""
    return min(REQUEST_TIMEOUT_MS, settings.delivery_timeout_ms // 2)


def _block_ms(settings: Settings) -> int:
    """Bound a `send` that waits for metadata, and an init: the client's own 60 s outlast a transaction."""
    return settings.delivery_timeout_ms * 3 // 4


def admin(settings: Settings) -> KafkaAdminClient:
    """Make an admin client. Raises TryAgainError: no broker."""
    return _connect(KafkaAdminClient, settings, client_id="nepse-admin")


def asked(settings: Settings, ask: Callable[[KafkaAdminClient], T], seconds: float, what: str) -> T:
    """Ask with an admin client of its own, from its connection to its end under one bound.

    Raises:
        TryAgainError: no broker, or no answer in time.
    """

    def run() -> T:
        opened = admin(settings)
        try:
            return ask(opened)
        finally:
            opened.close()

    return answered(run, seconds, what)


def _connect(make: Callable[..., Any], settings: Settings, **options: Any) -> Any:
    bounds = {"bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS, "request_timeout_ms": REQUEST_TIMEOUT_MS}
    try:
        return make(bootstrap_servers=settings.bootstrap, **{**bounds, **options})
    except KafkaConfigurationError as error:
        message = f"the Kafka client refuses its settings, correct them (docs/reference/settings.md): {error}"
        raise StopError(message) from error
    except KafkaError as error:
        message = f"no broker at {settings.bootstrap}: run 'nepse up' ({error})"
        raise TryAgainError(message) from error


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Turn a broker that stops answering into TryAgainError, for callers that read or send directly."""
    try:
        yield
    except KafkaError as error:
        message = f"the broker at {settings.bootstrap} did not do what was asked: {error}"
        raise TryAgainError(message) from error
