"""The envelope around every payload, and its form on the wire (JSON, UTF-8)."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast
from uuid import NAMESPACE_URL, uuid5

import orjson
from pydantic import ValidationError

from events.payloads import PAYLOADS, Payload

P_co = TypeVar("P_co", bound=Payload, covariant=True)

_NAMESPACE = uuid5(NAMESPACE_URL, "nepse-loop/events")
_FIRST_MILLISECONDS = 1e11  # as seconds this is the year 5138: such a number is epoch milliseconds


class ContractError(ValueError):
    """The bytes are not an event of ours; the message says why, for the dead letter."""


@dataclass(frozen=True, slots=True)
class Causation:
    """The record that made this event happen."""

    topic: str
    partition: int
    offset: int
    event_id: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we add to the chapter's envelope."""

    event_id: str
    correlation_id: str
    schema_version: int = 1
    causation: Causation | None = None
    producer_version: str | None = None


@dataclass(frozen=True, slots=True)
class Event(Generic[P_co]):
    """An immutable fact: when it happened (UTC), who says so, what, and where it comes from."""

    timestamp: datetime
    producer: str
    payload: P_co
    metadata: Metadata
    event_type: str = field(default="")

    def __post_init__(self) -> None:
        """Name the event after its payload."""
        object.__setattr__(self, "event_type", type(self.payload).__name__)

    @property
    def id(self) -> str:
        """The event's identity; equal ids are the same event delivered again."""
        return self.metadata.event_id


def derive_id(producer: str, cause: str, subject: str, revision: int = 0) -> str:
    """Name an event by what caused it and what it is about, so that a re-run cannot invent a second one."""
    return str(uuid5(_NAMESPACE, f"{producer}\x1f{cause}\x1f{subject}\x1f{revision}"))


def encode(event: Event[Payload]) -> bytes:
    """Write an event as JSON bytes: ISO-8601 UTC with `Z`, dates as YYYY-MM-DD."""
    return orjson.dumps(
        {
            "event_type": event.event_type,
            "timestamp": event.timestamp,
            "producer": event.producer,
            "payload": event.payload.model_dump(),
            "metadata": event.metadata,
        },
        option=orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY,
    )


def decode(value: bytes | None) -> Event[Payload]:
    """Read an event from JSON bytes; everything the chapter leaves out may be missing.

    Raises:
        ContractError: the bytes are absent (a tombstone), not JSON, not an envelope, or break the schema.
    """
    raw = _object(value)
    payload = _payload(raw)
    return Event(
        timestamp=_timestamp(raw.get("timestamp")),
        producer=str(raw.get("producer") or "unknown"),
        payload=payload,
        metadata=_metadata(raw.get("metadata"), cast("bytes", value)),
    )


def _object(value: bytes | None) -> dict[str, Any]:
    if value is None:
        message = "the record has no value (a tombstone)"
        raise ContractError(message)
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        message = f"not JSON: {error}"
        raise ContractError(message) from error
    if not isinstance(raw, dict):
        message = f"not an event: a JSON object is expected, this is a {type(raw).__name__}"
        raise ContractError(message)
    return raw


def _payload(raw: dict[str, Any]) -> Payload:
    kind = raw.get("event_type")
    model = PAYLOADS.get(kind) if isinstance(kind, str) else None
    if model is None:
        message = f"unknown event_type {str(kind)[:80]!r}; known: {', '.join(PAYLOADS)}"
        raise ContractError(message)
    try:
        return model.model_validate(raw.get("payload"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "payload"
        message = f"{kind}: {place[:200]}: {first['msg']}"
        raise ContractError(message) from error


def _timestamp(value: object) -> datetime:
    """Accept ISO-8601 or epoch seconds (milliseconds are recognised by their size)."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _FIRST_MILLISECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        message = f"timestamp {str(value)[:80]!r}: {error}"
        raise ContractError(message) from error
    message = f"timestamp {str(value)[:80]!r} is neither ISO-8601 nor epoch seconds"
    raise ContractError(message)


def _metadata(raw: object, value: bytes) -> Metadata:
    """Read our metadata, or give a foreign event an id from its content."""
    known = raw if isinstance(raw, dict) else {}
    event_id = known.get("event_id")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= 200:  # noqa: PLR2004
        event_id = str(uuid5(_NAMESPACE, hashlib.sha256(value).hexdigest()))
    correlation_id = known.get("correlation_id")
    version = known.get("schema_version")
    return Metadata(
        event_id=event_id,
        correlation_id=correlation_id if isinstance(correlation_id, str) else event_id,
        schema_version=version if isinstance(version, int) else 1,
        causation=_causation(known.get("causation")),
        producer_version=known.get("producer_version"),
    )


def _causation(raw: object) -> Causation | None:
    if not isinstance(raw, dict):
        return None
    try:
        return Causation(str(raw["topic"]), int(raw["partition"]), int(raw["offset"]), str(raw["event_id"]))
    except (KeyError, TypeError, ValueError):
        return None  # a foreign writer's idea of causation: the event itself is still good
