"""The contract once more, compiled: what our own writers write is read in less time.

It is narrower than the models on purpose. Whatever it does not take, good or bad, goes to the models, whose
verdict and whose message count; what it takes, they would have taken with the same values.
"""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, Union, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import asdict
from pydantic import ValidationError

from events.fields import Name, Payload

M = TypeVar("M", bound=Struct)


class Compiled(Generic[M]):
    """Readers of the envelopes of these payloads."""

    def __init__(self, payloads: Iterable[type[Payload]], metadata: type[M]) -> None:
        """Compile; metadata that is present is read as `metadata`."""
        self._models = {_envelope(model, metadata): model for model in payloads}
        known: Any = Union[tuple(self._models)]  # noqa: UP007  (made of a tuple)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(known, dec_hook=_model)

    def read(self, value: bytes) -> tuple[str, str, Payload, M] | None:
        """Read timestamp, producer, payload and metadata of an event in the form in which we write it.

        Returns None for any other form, and for what is no event.
        """
        if not value.isascii() or b"\\" in value:  # where readers of JSON differ
            return None
        try:
            found = self._decoder.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return None
        payload = self._models[type(found)].known(asdict(found.payload))
        return found.timestamp, found.producer, payload, found.metadata


def _envelope(model: type[Payload], metadata: type[Struct]) -> type[Struct]:
    """Make the twin of a payload's envelope."""
    name = model.__name__
    payload = msgspec.defstruct(f"{name}Payload", _fields(model), kw_only=True, forbid_unknown_fields=True)
    fields = [("timestamp", str), ("producer", Name), ("payload", payload), ("metadata", metadata)]
    return msgspec.defstruct(name, fields, tag_field="event_type", tag=name, forbid_unknown_fields=True)


def _fields(model: type[Payload]) -> list[tuple[str, Any, Any]]:
    """List a model's fields: name, type, default."""
    hints = get_type_hints(model, include_extras=True)
    found = []
    for name, field in model.model_fields.items():
        given: Any = msgspec.NODEFAULT if field.is_required() else field.default
        if isinstance(given, list | dict):
            given = msgspec.field(default_factory=type(given))
        found.append((name, hints[name], given))
    return found


def _model(kind: type[Payload], raw: object) -> Payload:
    """Read a payload within a payload. Raises ValueError: it is none, or has fields that are not its own."""
    if not isinstance(raw, dict) or raw.keys() - kind.model_fields.keys():
        raise ValueError(raw)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ValueError from error
