"""How lists are cut: a page says with `next` where the following one begins."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import Field

MOST = 500
USUAL = 100

Limit = Annotated[int, Field(ge=1, le=MOST, description="Most rows of a page.")]
After = Annotated[str | None, Field(max_length=400, description="`next` of the page before, as it is.")]


def told(key: Sequence[Any] | None) -> str | None:
    """Write a key for `next`; None stays None."""
    return None if key is None else base64.urlsafe_b64encode(orjson.dumps(list(key))).decode().rstrip("=")


def key_of(after: str | None, parts: int) -> list[Any] | None:
    """Read a key of so many parts.

    Raises:
        RequestValidationError: it was not made by `told`.
    """
    if after is None:
        return None
    try:
        found = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except (ValueError, binascii.Error):
        found = None
    if not isinstance(found, list) or len(found) != parts:
        raise no_key()
    return found


def number_of(after: str | None, beginning: int) -> int:
    """Read a key that is one whole number; raises as `key_of` does."""
    key = key_of(after, 1)
    if key is None:
        return beginning
    if type(key[0]) is not int or abs(key[0]) > 2**62:
        raise no_key()
    return key[0]


def no_key() -> RequestValidationError:
    """Make the error that says that `after` was made up."""
    told = {"loc": ("query", "after"), "msg": "not a `next` of this list", "type": "value_error"}
    return RequestValidationError([told])
