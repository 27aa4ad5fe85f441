"""The committed history of every event's schema, and the guard that keeps it compatible.

`python -m events.schemas --check` refuses models that differ from their newest snapshot, and any change that
an old or a new reader would not survive; `--write` adds the snapshot of a compatible change.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields
from pydantic import ConfigDict, Field, create_model

from events.compatibility import incompatibilities
from events.envelope import Metadata
from events.fields import LONGEST_NAME, Number
from events.payloads import PAYLOADS, Payload
from events.subschemas import Schema, bare

SNAPSHOTS = Path(__file__).with_name("schemas")
_FILE = re.compile(r"(?P<event>\w+)\.v(?P<version>[1-9]\d*)\.json")

Payloads = Mapping[str, type[Payload]]
History = dict[int, Schema]


@cache
def schema(payload: type[Payload]) -> Schema:
    """JSON Schema (draft 2020-12) of a whole event, as readers accept and writers write it."""
    name = payload.__name__
    only_this: Any = Literal[name]
    envelope = create_model(
        f"{name}Event",
        __config__=ConfigDict(title=name),
        __doc__=payload.__doc__,
        event_type=(only_this, ...),
        timestamp=(datetime | Number, Field(description="UTC, ISO-8601; epoch seconds are read as well")),
        producer=(Annotated[str, Field(max_length=LONGEST_NAME)], "unknown"),
        payload=(payload, ...),
        metadata=(_model(Metadata) | None, None),
    )
    return envelope.model_json_schema()


def _model(struct: type[Struct]) -> Any:
    """Make a model of a part of the envelope, which alone can tell its schema."""
    hints = get_type_hints(struct, include_extras=True)
    found: dict[str, Any] = {
        field.name: (_modelled(hints[field.name]), ... if field.default is NODEFAULT else field.default)
        for field in fields(struct)
    }
    return create_model(struct.__name__, __doc__=struct.__doc__, **found)


def _modelled(hint: Any) -> Any:
    """Replace parts of the envelope by their models, in unions as well."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _model(hint)
    inner = get_args(hint)
    return Union[tuple(map(_modelled, inner))] if isinstance(hint, UnionType) else hint  # noqa: UP007


def history(directory: Path) -> dict[str, History]:
    """All snapshots, by event and version."""
    found: dict[str, History] = {}
    for path in sorted(directory.glob("*.json")):
        if match := _FILE.fullmatch(path.name):
            found.setdefault(match["event"], {})[int(match["version"])] = json.loads(path.read_text("utf-8"))
    return found


def check(directory: Path = SNAPSHOTS, payloads: Payloads = PAYLOADS) -> list[str]:
    """Say what stands between the models and their snapshots; an empty list means nothing."""
    complaints, pending = _plan(directory, payloads)
    stale = [f"{path.name} is not written yet: run `python -m events.schemas --write`" for path in pending]
    return complaints + stale


def write(directory: Path = SNAPSHOTS, payloads: Payloads = PAYLOADS) -> tuple[list[str], list[Path]]:
    """Write the snapshots of new and of compatibly changed events: all of them, or none when one is refused.

    Returns:
        The complaints (then nothing was written) and the files written.
    """
    complaints, pending = _plan(directory, payloads)
    if complaints:
        return complaints, []
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in pending.items():
        path.write_text(text, "utf-8")
    return [], list(pending)


def _plan(directory: Path, payloads: Payloads) -> tuple[list[str], dict[Path, str]]:
    known = history(directory)
    complaints = [
        f"{event} is no longer an event type: its old events could not be read"
        for event in known
        if event not in payloads
    ]
    pending: dict[Path, str] = {}
    for event, payload in payloads.items():
        versions, current = known.get(event, {}), bare(schema(payload)) | {"title": event}
        found = list(_complaints(event, payload.schema_version, versions, current))
        complaints += found
        if not found and versions.get(payload.schema_version) != current:
            path = directory / f"{event}.v{payload.schema_version}.json"
            pending[path] = json.dumps(current, indent=2, sort_keys=True) + "\n"
    return complaints, pending


def _complaints(event: str, version: int, versions: History, current: Schema) -> Iterator[str]:
    newest = max(versions, default=0)
    if sorted(versions) != list(range(1, newest + 1)):
        yield f"{event}: snapshots {sorted(versions)} have a gap: bring back the missing file"
    changed = versions.get(newest) != current
    for number, old in sorted(versions.items()) if changed else ():
        yield from (f"{sentence} (since v{number})" for sentence in incompatibilities(old, current))
    if version != newest + changed:
        how = "differs from" if changed else "equals"
        yield (
            f"{event}: its model {how} its newest snapshot v{newest}, so schema_version must be "
            f"{newest + changed} and not {version}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the snapshots; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m events.schemas", description="Guard the events' schemas."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="refuse models that differ from their snapshots")
    action.add_argument("--write", action="store_true", help="write the snapshot of a compatible change")
    parser.add_argument("--directory", type=Path, default=SNAPSHOTS, help="where the snapshots lie")
    options = parser.parse_args(arguments)
    complaints, written = (check(options.directory), []) if options.check else write(options.directory)
    sys.stdout.writelines(f"wrote {path.name}\n" for path in written)
    sys.stderr.writelines(f"{complaint}\n" for complaint in complaints)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
