"""A part of an event that was written ahead, many at a time."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import orjson


class Encoded(Mapping[str, Any]):
    """A JSON object as its bytes: they are sent as they are, and read when somebody looks into them.

    Takes the place of a dict in a payload; whoever makes one answers for its bytes, which nothing checks.
    `encode` writes it; pydantic's own `model_dump_json` does not know it.
    """

    def __init__(self, json: bytes) -> None:
        """Take the bytes of a JSON object, written as `encode` would."""
        self.json = json

    def __reduce__(self) -> tuple[type["Encoded"], tuple[bytes]]:
        """Travel to other processes as the bytes alone."""
        return Encoded, (self.json,)

    @cached_property
    def _fields(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.json)
        return found

    def __getitem__(self, name: str) -> Any:
        """Give a field."""
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        """Name the fields, in their order."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Number of fields."""
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        """Equal any mapping of the same fields; equal bytes need no look into them."""
        return (isinstance(other, Encoded) and self.json == other.json) or super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as a dict's

    def __repr__(self) -> str:
        """Show the fields."""
        return f"Encoded({self._fields!r})"
