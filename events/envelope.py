"""The envelope around every payload, and its form on the wire (JSON, UTF-8)."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import NAMESPACE_URL, uuid5

import orjson
from msgspec import Struct
from msgspec.structs import asdict, force_setattr, replace
from pydantic import Field, ValidationError

from events.compiled import Compiled
from events.fields import LARGEST_INTEGER, LONGEST_NAME, Count, Name, Ordinal
from events.payloads import PAYLOADS, Payload

P_co = TypeVar("P_co", bound=Payload, covariant=True)

_NAMESPACE = uuid5(NAMESPACE_URL, "nepse-loop/events")
_FIRST_MILLISECONDS = 1e11  # as seconds this is the year 5138: such a number is epoch milliseconds
_SHOWN = 80  # characters of a hostile value that a message may repeat
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # the escape itself, not an escaped backslash before "u0000"


class ContractError(ValueError):
    """The bytes are not an event of ours; the message says why, for the dead letter."""


# Nothing of an event is in a cycle: without `gc` the collector does not walk through thousands of them.
class Causation(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The record that made this event happen."""

    topic: Name
    partition: Count
    offset: Count
    event_id: Name


class Metadata(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What we add to the chapter's envelope."""

    event_id: Name
    correlation_id: Name
    schema_version: Annotated[Ordinal, Field(json_schema_extra={"default": 1})] = 0
    """Version of the payload's schema; 0, which is never sent, becomes the payload's own in its event."""
    causation: Causation | None = None
    producer_version: Name | None = None


class Event(Struct, Generic[P_co], frozen=True, gc=False):
    """An immutable fact: when it happened (UTC), who says so, what, and where it comes from."""

    timestamp: datetime
    producer: str
    payload: P_co
    metadata: Metadata

    def __post_init__(self) -> None:
        """Carry the schema version of the payload, unless the metadata says otherwise."""
        if not self.metadata.schema_version:
            version = type(self.payload).schema_version
            force_setattr(self, "metadata", replace(self.metadata, schema_version=version))

    @property
    def event_type(self) -> str:
        """The payload's name."""
        return type(self.payload).__name__

    @property
    def id(self) -> str:
        """The event's identity; equal ids are the same event delivered again."""
        return self.metadata.event_id


_compiled = Compiled(PAYLOADS.values(), Metadata)


def derive_id(producer: str, cause: str, subject: str, revision: int = 0) -> str:
    """Name an event by what caused it and what it is about, so that a re-run cannot invent a second one."""
    return _uuid5(f"{producer}\x1f{cause}\x1f{subject}\x1f{revision}")


def _uuid5(name: str) -> str:
    """Do as `str(uuid.uuid5(_NAMESPACE, name))` in a third of its time: every event needs one."""
    digest = hashlib.sha1(_NAMESPACE.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def encode(event: Event[Payload]) -> bytes:
    """Write an event as JSON bytes: ISO-8601 UTC with `Z`, dates as YYYY-MM-DD."""
    return orjson.dumps(
        {
            "event_type": event.event_type,
            "timestamp": event.timestamp,
            "producer": event.producer,
            "payload": event.payload.__dict__,
            "metadata": asdict(event.metadata),
        },
        default=_fields,
        option=orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY,
    )


def _fields(thing: object) -> dict[str, Any]:
    """Give a thing's fields as they are; `model_dump` would copy them first, as slow as the JSON."""
    if isinstance(thing, Payload):
        return thing.__dict__
    if isinstance(thing, Struct):
        return asdict(thing)
    message = f"a {type(thing).__name__} can't be written as JSON"
    raise TypeError(message)


def decode(value: bytes | None) -> Event[Payload]:
    """Read an event from JSON bytes; everything the chapter leaves out may be missing.

    Raises:
        ContractError: the bytes are absent (a tombstone), not JSON, not an envelope, or break the schema.
    """
    found = _compiled.read(value) if value is not None else None
    if found is None or not found[3].schema_version:
        return _decode(value)
    written, producer, payload, metadata = found
    return Event(_timestamp(written), producer, payload, metadata)


def _decode(value: bytes | None) -> Event[Payload]:
    """Read an event of any form that the models take."""
    raw = _object(value)
    payload = _payload(raw)
    return Event(
        timestamp=_timestamp(raw.get("timestamp")),
        producer=_producer(raw.get("producer")),
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
    if b"\\u0000" in value and _NUL.search(value):  # the search alone would cost every event
        message = "the event holds a NUL character, which the database can't store"
        raise ContractError(message)
    return raw


def _payload(raw: dict[str, Any]) -> Payload:
    kind = raw.get("event_type")
    model = PAYLOADS.get(kind) if isinstance(kind, str) else None
    if model is None:
        message = f"unknown event_type {_shown(kind)}; known: {', '.join(PAYLOADS)}"
        raise ContractError(message)
    try:
        return model.model_validate(raw.get("payload"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(_place(part) for part in first["loc"]) or "payload"
        message = f"{kind}: {place}: {first['msg']}"
        raise ContractError(message) from error


def _place(part: int | str) -> str:
    """A step to the faulty value; a foreign key is quoted where it is long or unprintable."""
    plain = isinstance(part, int) or (part.isprintable() and len(part) <= _SHOWN)
    return str(part) if plain else _shown(part)


def _shown(value: object) -> str:
    """A hostile value as a message may repeat it: short, printable, never descending into it."""
    if isinstance(value, str):
        return ascii(value[:_SHOWN])
    return repr(value) if value is None or isinstance(value, (bool, int, float)) else type(value).__name__


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
        message = f"timestamp {_shown(value)} is not a moment between the years 1 and 9999"
        raise ContractError(message) from error
    message = f"timestamp {_shown(value)} is neither ISO-8601 nor epoch seconds"
    raise ContractError(message)


def _producer(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, str) and len(value) <= LONGEST_NAME:
        return value or "unknown"
    message = f"producer {_shown(value)} is not a string of at most {LONGEST_NAME} characters"
    raise ContractError(message)


def _metadata(raw: object, value: bytes) -> Metadata:
    """Read our metadata, or give a foreign event an id from its content.

    What a foreign writer puts here in another shape is passed over: the event itself is still good.
    """
    known = raw if isinstance(raw, dict) else {}
    event_id = _name(known.get("event_id")) or _uuid5(hashlib.sha256(value).hexdigest())
    return Metadata(
        event_id=event_id,
        correlation_id=_name(known.get("correlation_id")) or event_id,
        schema_version=_whole(known.get("schema_version")) or 1,
        causation=_causation(known.get("causation")),
        producer_version=_name(known.get("producer_version")),
    )


def _causation(raw: object) -> Causation | None:
    if not isinstance(raw, dict):
        return None
    topic, event_id = _name(raw.get("topic")), _name(raw.get("event_id"))
    partition, offset = _whole(raw.get("partition")), _whole(raw.get("offset"))
    if topic is None or event_id is None or partition is None or offset is None:
        return None
    return Causation(topic, partition, offset, event_id)


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None


def _whole(value: object) -> int | None:
    """A count that fits 64 bits; `true` is none."""
    return value if type(value) is int and 0 <= value <= LARGEST_INTEGER else None
