"""The base of all payloads and their field types: what counts as a number, a symbol, a session date.

Each type says it twice: to pydantic, whose verdict counts, and (`Meta`) to msgspec, which may be narrower.
"""

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta
from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
)

LARGEST_INTEGER = 2**63 - 1  # what a database's bigint and an offset hold
LONGEST_NAME = 200  # characters of an id or a name in the envelope
LONGEST_TEXT = 4096
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _only_iso(value: object) -> object:
    """Refuse what pydantic would kindly turn into a date, such as epoch seconds."""
    if isinstance(value, str) and not _ISO_DATE.fullmatch(value):
        message = "a session date is written YYYY-MM-DD"
        raise ValueError(message)
    if not isinstance(value, (str, date)):
        message = "a session date is a string YYYY-MM-DD"
        raise ValueError(message)  # noqa: TRY004  (pydantic reports ValueError, not TypeError)
    return value


def _printable(value: str) -> str:
    """Refuse control characters, which have no place in a ticker and break terminals and paths."""
    if not value.isprintable():
        message = "a symbol holds printable characters only"
        raise ValueError(message)
    return value


Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)]
"""A finite JSON number; a numeric string is not a number."""

SessionDate = Annotated[date, BeforeValidator(_only_iso)]
"""A trading session, by its calendar date in Kathmandu."""

Symbol = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=64),
    AfterValidator(_printable),
    Meta(pattern=r"\A[ -~]{1,64}\Z"),
]
"""A ticker as the exchange writes it; slashes and spaces occur (`NICAD 85/86`). `NEPSE` is the market."""

Text = Annotated[str, StringConstraints(strict=True, max_length=LONGEST_TEXT), Meta(max_length=LONGEST_TEXT)]
Count = Annotated[int, Strict(), Field(ge=0, le=LARGEST_INTEGER), Meta(ge=0, le=LARGEST_INTEGER)]
Ordinal = Annotated[int, Strict(), Field(ge=1, le=LARGEST_INTEGER), Meta(ge=1, le=LARGEST_INTEGER)]
"""The number of an attempt: the first is 1."""

Flag = Annotated[bool, Strict()]
"""JSON's `true` or `false`; 1 and "yes" are not."""

Name = Annotated[
    str, Field(min_length=1, max_length=LONGEST_NAME), Meta(min_length=1, max_length=LONGEST_NAME)
]
"""An id or a name in the envelope."""


_set = object.__setattr__


class Payload(BaseModel):
    """Base of all payloads; `schema_version` grows with each compatible change."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())
    schema_version: ClassVar[int] = 1
    _every: ClassVar[set[str]]

    def __hash__(self) -> int:
        """Hash by type and key: fields may be dicts and lists, which have no hash of their own."""
        return hash((type(self), self.key))

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Note the names of all fields once."""
        super().__pydantic_init_subclass__(**kwargs)
        cls._every = set(cls.model_fields)

    @classmethod
    def known(cls, values: dict[str, Any]) -> Self:
        """Make a payload of the values of all its fields, which are known to be right: nothing is checked.

        For what was checked by other means, thousands at a time: the constructor, and `model_construct` even
        more, take several times as long. The dict becomes the payload's own.
        """
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", cls._every)
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made

    @property
    def key(self) -> str:
        """Record key: the symbol where there is one."""
        return str(getattr(self, "symbol", None) or "")
