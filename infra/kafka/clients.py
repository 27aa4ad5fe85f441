"""Kafka clients as this system uses them: never auto-commit, never read what is not committed."""

from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from infra.settings import Settings

REQUEST_TIMEOUT_MS = 15_000


def consumer(settings: Settings, *, group: str | None = None, **options: Any) -> KafkaConsumer:
    """Make a consumer of committed records; keys and values stay bytes."""
    return KafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        group_id=group,
        client_id=options.pop("client_id", "nepse"),
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="none",
        **{
            "session_timeout_ms": settings.session_timeout_ms,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            **options,
        },
    )


def producer(settings: Settings, transactional_id: str) -> KafkaProducer:
    """Make a transactional producer; `init_transactions` is the caller's to call."""
    return KafkaProducer(
        bootstrap_servers=settings.bootstrap,
        client_id=transactional_id,
        transactional_id=transactional_id,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        delivery_timeout_ms=settings.delivery_timeout_ms,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        acks="all",
        retry_backoff_ms=10,
        linger_ms=20,
        batch_size=1024 * 1024,
        max_request_size=4 * 1024 * 1024,
    )


def admin(settings: Settings) -> KafkaAdminClient:
    """Make an admin client."""
    return KafkaAdminClient(
        bootstrap_servers=settings.bootstrap, client_id="nepse-admin", request_timeout_ms=REQUEST_TIMEOUT_MS
    )
