"""Events as they were once written must be read by today's readers, for ever."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from events.envelope import decode, encode
from events.payloads import PAYLOADS
from events.schemas import history, schema

GOLDEN = Path(__file__).with_name("golden")
SNAPSHOTS = Path(__file__).parents[2] / "events" / "schemas"
LINES = [
    pytest.param(line, id=f"{path.stem}:{number}")
    for path in sorted(GOLDEN.glob("*.jsonl"))
    for number, line in enumerate(path.read_bytes().splitlines(), 1)
]


def _validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(schema(PAYLOADS[event_type]), format_checker=FormatChecker())


@pytest.mark.parametrize("line", LINES)
def test_a_golden_event_keeps_its_meaning(line: bytes) -> None:
    """Every field that the event holds is read unchanged; those it lacks take their defaults."""
    raw = json.loads(line)
    event = decode(line)
    read = orjson.loads(orjson.dumps(event.payload.model_dump()))
    held = {name: value for name, value in raw["payload"].items() if name in read}
    assert read | held == read
    assert (event.event_type, event.producer) == (raw["event_type"], raw["producer"])
    for name in read.keys() - held.keys():
        default = (
            type(event.payload).model_fields[name].get_default(call_default_factory=True, validated_data={})
        )
        assert getattr(event.payload, name) == default


@pytest.mark.parametrize("line", LINES)
def test_a_golden_event_survives_being_written_again(line: bytes) -> None:
    """What we write after reading decodes to the same event, id included, and fits the event's schema."""
    event = decode(line)
    again = encode(event)
    assert decode(again) == event
    _validator(event.event_type).validate(json.loads(again))


@pytest.mark.parametrize("line", LINES)
def test_a_golden_event_fits_the_published_schema(line: bytes) -> None:
    """The schema that we publish does not refuse what our readers accept."""
    raw = json.loads(line)
    _validator(raw["event_type"]).validate(raw)


@pytest.mark.parametrize("line", LINES)
def test_a_golden_event_keeps_its_metadata(line: bytes) -> None:
    """Identity, correlation and cause are read as written; an event without them is named by its content."""
    raw, event = json.loads(line), decode(line)
    if "metadata" in raw:
        assert msgspec.to_builtins(event.metadata) == raw["metadata"]
    else:
        assert event.id == decode(line).id == event.metadata.correlation_id
        assert event.id != decode(line + b" ").id


def _filled(value: Any) -> bool:
    return value not in (None, [], {})


def test_every_version_ever_written_has_golden_events() -> None:
    """Each snapshot has its file of events, the first of which fills every field of that version."""
    for event_type, versions in history(SNAPSHOTS).items():
        for version, snapshot in versions.items():
            lines = (GOLDEN / f"{event_type}.v{version}.jsonl").read_bytes().splitlines()
            first = json.loads(lines[0])
            assert first["metadata"]["schema_version"] == version
            fields = snapshot["$defs"][event_type]["properties"]
            assert {name for name, value in first["payload"].items() if _filled(value)} == set(fields)


def test_the_chapters_events_are_all_there() -> None:
    """Six examples of the chapter, its producer's event without row_count, and its error in epoch seconds."""
    events = [decode(line) for line in (GOLDEN / "chapter.jsonl").read_bytes().splitlines()]
    assert [event.event_type for event in events] == [
        "DataIngested",
        "FeaturesComputed",
        "PredictionMade",
        "ActualAvailable",
        "ModelRetrainingTriggered",
        "ModelTrained",
        "DataIngested",
        "ErrorComputed",
    ]
    assert events[-1].timestamp == datetime(2023, 6, 2, 12, 0, 0, 123456, tzinfo=UTC)
    assert events[0].timestamp == datetime(2023, 6, 1, 12, tzinfo=UTC)
    assert len({event.id for event in events}) == len(events)


def test_golden_files_are_named_for_event_and_version() -> None:
    """A misnamed file would silently count for nothing."""
    for path in GOLDEN.iterdir():
        match = re.fullmatch(r"(\w+)\.v[1-9]\d*\.jsonl", path.name)
        assert path.name == "chapter.jsonl" or (match and match[1] in PAYLOADS)
