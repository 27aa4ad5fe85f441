"""The table of all settings in docs/reference/settings.md, made from the settings themselves."""

import sys
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from events.kept import keep
from infra.settings import PROJECT, Settings

DOCUMENT = PROJECT / "docs" / "reference" / "settings.md"
_SIGNS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_HEAD = """\
# Settings

Written by `python -m infra.settings_reference --write`; the tests compare it with the code.

Each setting is an environment variable. The order of precedence: a command's own option, the environment,
`settings.env` in the stack's home, the default. An empty variable counts as not set. `nepse doctor` prints
every value with its origin, secrets masked.

| variable | default | bounds | what it is |
|---|---|---|---|
"""


def text() -> str:
    """Write the page as it is committed."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`NEPSE_{name.upper()}`", _default(field.default), _bounds(field), field.description or "")
    return f"| {' | '.join(cells)} |\n"


def _default(value: Any) -> str:
    if value is None or value == [] or (isinstance(value, SecretStr) and not value.get_secret_value()):
        return "none"
    return "`********`" if isinstance(value, SecretStr) else f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    """Tell the limits that the field's constraints declare."""
    found = [
        f"{words} {getattr(one, sign)}"
        for one in field.metadata
        for sign, words in _SIGNS.items()
        if getattr(one, sign, None) is not None
    ]
    return ", ".join(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the page; returns the exit code."""
    return keep("infra.settings_reference", "Keep the table of settings.", text, DOCUMENT, arguments)


if __name__ == "__main__":
    sys.exit(main())
