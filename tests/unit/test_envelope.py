"""The codec: what counts as an event, and that nothing else gets further than a clear refusal."""

import gc
import json
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from events import envelope
from events.envelope import Causation, ContractError, Event, Metadata, decode, derive_id, encode
from events.fields import LARGEST_INTEGER
from events.payloads import PAYLOADS, ActualAvailable, FeaturesComputed, LetterRetried, Payload
from events.schemas import schema

NOON = datetime(2023, 6, 1, 12, tzinfo=UTC)
SETTINGS = settings(max_examples=300, deadline=None)
SCHEMAS = {
    name: Draft202012Validator(schema(model), format_checker=FormatChecker())
    for name, model in PAYLOADS.items()
}
CLOSE: dict[str, Any] = {"symbol": "NABIL", "date": "2023-06-01", "actual_close": 1260.2}
LONGEST_MESSAGE = 700  # characters; the names of all events fit


def _raw(**changes: Any) -> dict[str, Any]:
    whole = {
        "event_type": "ActualAvailable",
        "timestamp": "2023-06-01T12:00:00Z",
        "producer": "p",
        "payload": CLOSE,
    }
    return whole | changes


def _bytes(**changes: Any) -> bytes:
    return json.dumps(_raw(**changes)).encode()


def _refusal(value: bytes | None) -> str:
    with pytest.raises(ContractError) as refused:
        decode(value)
    message = str(refused.value)
    assert len(message) <= LONGEST_MESSAGE
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    "written",
    [
        "2023-06-01T12:00:00Z",
        "2023-06-01T12:00:00+00:00",
        "2023-06-01T17:45:00+05:45",
        "2023-06-01T12:00:00",
        "2023-06-01 12:00:00.000",
        "20230601T120000Z",
        1685620800,
        1685620800.0,
        1685620800000,
        1685620800000.0,
    ],
)
def test_a_timestamp_may_be_iso_or_epoch(written: object) -> None:
    """Offsets are honoured, naive text is UTC, and milliseconds are told from seconds by their size."""
    assert decode(_bytes(timestamp=written)).timestamp == NOON
    assert decode(_bytes(timestamp=written)).timestamp.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        False,
        "",
        "soon",
        "2023-13-01",
        [],
        {},
        [1],
        "9" * 5000,
        1e300,
        -1e300,
        2**64 - 1,
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_is_no_moment_is_refused(written: object) -> None:
    """A missing, boolean, unreadable or impossible timestamp says so."""
    assert _refusal(_bytes(timestamp=written)).startswith("timestamp ")


def test_an_event_without_metadata_is_named_by_its_bytes() -> None:
    """The same bytes are the same event delivered again; other bytes are another event."""
    first, again, other = decode(_bytes()), decode(_bytes()), decode(_bytes(producer="q"))
    assert first.id == again.id == first.metadata.correlation_id
    assert first.id != other.id
    assert (first.metadata.schema_version, first.metadata.causation) == (1, None)


METADATA = [
    None,
    [],
    7,
    {"event_id": 7},
    {"event_id": ""},
    {"event_id": "x" * 201},
    {"correlation_id": {"a": []}, "producer_version": ["1"]},
    {"schema_version": True},
    {"schema_version": "2"},
    {"schema_version": -1},
    {"schema_version": 2**64 - 1},
    {"causation": "raw-data"},
    {"causation": {"topic": "t", "partition": 0, "offset": 1}},
    {"causation": {"topic": "t", "partition": 0, "offset": 1e300, "event_id": "x"}},
    {"causation": {"topic": "t", "partition": 0, "offset": 2**64 - 1, "event_id": "x"}},
    {"causation": {"topic": {}, "partition": 0, "offset": 1, "event_id": "x"}},
    {"causation": {"topic": "t", "partition": True, "offset": 1, "event_id": "x"}},
]


@pytest.mark.parametrize("metadata", METADATA)
def test_foreign_metadata_is_passed_over(metadata: object) -> None:
    """What is not our metadata does not spoil a good event, nor get into what we write."""
    event = decode(_bytes(metadata=metadata))
    assert event.metadata == Metadata(event.id, event.id, schema_version=1)
    assert decode(encode(event)) == event
    SCHEMAS["ActualAvailable"].validate(json.loads(encode(event)))


def test_our_metadata_is_read_as_written() -> None:
    """Identity, correlation, cause and versions come back."""
    cause = Causation("raw-data", 0, 17, "cause")
    metadata = Metadata("id", "correlation", schema_version=3, causation=cause, producer_version="0.1.0")
    event = Event(NOON, "p", ActualAvailable.model_validate(CLOSE), metadata)
    assert decode(encode(event)).metadata == metadata


def test_the_collector_does_not_walk_through_envelopes() -> None:
    """A slice holds thousands, none of them in a cycle."""
    cause = Causation("raw-data", 0, 7, "id")
    event = Event(datetime.now(UTC), "ingest", PAYLOADS["ActualAvailable"].known({}), Metadata("a", "b"))
    assert not any(map(gc.is_tracked, (cause, event.metadata, event)))


def test_an_event_carries_the_version_of_its_payload() -> None:
    """A bumped model is written under its own number without anybody passing it on."""

    class Later(ActualAvailable):
        """The same, two compatible changes later."""

        schema_version = 3

    event = Event(NOON, "p", Later.model_validate(CLOSE), Metadata("id", "id"))
    assert (event.metadata.schema_version, event.event_type) == (3, "Later")
    assert json.loads(encode(event))["metadata"]["schema_version"] == 3


def test_the_wire_form_is_the_agreed_one() -> None:
    """ISO-8601 UTC with Z, dates as YYYY-MM-DD, every field of the envelope."""
    payload = FeaturesComputed(
        symbol="NICAD 85/86", date=date(2023, 6, 1), features={"RSI": 62.3, "SMA_20": None}
    )
    written = json.loads(encode(Event(NOON, "compute-features", payload, Metadata("id", "id"))))
    assert written["timestamp"] == "2023-06-01T12:00:00Z"
    assert written["payload"]["date"] == "2023-06-01"
    assert written["payload"]["features"] == {"RSI": 62.3, "SMA_20": None}
    assert list(written) == ["event_type", "timestamp", "producer", "payload", "metadata"]


def test_ids_depend_on_every_part_and_on_nothing_else() -> None:
    """The same cause, subject and revision give the same id; shifting a character between parts does not."""
    assert derive_id("p", "c", "s", 1) == derive_id("p", "c", "s", 1)
    ids = {
        derive_id(*parts) for parts in [("p", "c", "s"), ("pc", "", "s"), ("p", "cs", ""), ("p", "c", "s", 1)]
    }
    assert len(ids) == 4


@given(st.text(), st.text(), st.text(), st.integers(0, 5))
def test_an_id_is_the_standards_uuid5(producer: str, cause: str, subject: str, revision: int) -> None:
    """Anybody can compute it with any library: names once given must never change."""
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "nepse-loop/events")
    name = "\x1f".join((producer, cause, subject, str(revision)))
    assert derive_id(producer, cause, subject, revision) == str(uuid.uuid5(namespace, name))


def test_unknown_fields_are_dropped_not_refused() -> None:
    """A newer writer may say more, at any level."""
    more = {"later": {"deep": [1]}}
    event = decode(_bytes(payload=CLOSE | more, metadata={"event_id": "id"} | more, **more))
    assert event.payload == decode(_bytes()).payload
    assert b"later" not in encode(event)


def test_a_missing_producer_is_unknown() -> None:
    """Who wrote an event is worth knowing, not worth losing the event for."""
    assert decode(_bytes(producer=None)).producer == "unknown"


def _deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def _spliced(name: str, text: str) -> bytes:
    """An event in which one field of the envelope holds this JSON text."""
    rest = json.dumps({key: value for key, value in _raw().items() if key != name})
    return f'{{"{name}": {text}, {rest[1:]}'.encode()


def _close(**changes: Any) -> bytes:
    return _bytes(payload=CLOSE | changes)


HOSTILE = {
    "a tombstone": (None, "tombstone"),
    "nothing": (b"", "not JSON"),
    "truncated": (_bytes()[:-5], "not JSON"),
    "invalid UTF-8": (b'{"event_type": "\xff\xfe"}', "not JSON"),
    "nested 10,000 deep": (_deep(10_000).encode(), "not JSON"),
    "NaN": (_spliced("timestamp", "NaN"), "not JSON"),
    "Infinity": (_spliced("timestamp", "-Infinity"), "not JSON"),
    "a lone surrogate": (_spliced("producer", '"\\ud800"'), "not JSON"),
    "a raw control character": (_spliced("producer", '"\x01"'), "not JSON"),
    "an array": (b"[]", "a JSON object is expected, this is a list"),
    "a string": (b'"ActualAvailable"', "this is a str"),
    "null": (b"null", "this is a NoneType"),
    "an empty object": (b"{}", "unknown event_type None"),
    "an event type that is an object": (_bytes(event_type={"a": 1}), "unknown event_type dict"),
    "an event type nested deep": (_spliced("event_type", _deep(1000)), "unknown event_type list"),
    "an event type with escapes": (
        _bytes(event_type="\x1b[31m\u202e"),
        r"unknown event_type '\x1b[31m\u202e'",
    ),
    "a long event type": (_bytes(event_type="x" * 1_000_000), "unknown event_type 'xxx"),
    "a timestamp nested deep": (_spliced("timestamp", _deep(1000)), "timestamp list is neither"),
    "a long timestamp": (_bytes(timestamp="x" * 1_000_000), "timestamp 'xxx"),
    "an infinite timestamp": (_spliced("timestamp", "1e999"), "not JSON"),
    "a producer that is an object": (_bytes(producer={"name": "p"}), "producer dict is not a string"),
    "a long producer": (_bytes(producer="x" * 1_000_000), "producer 'xxx"),
    "NUL in the producer": (_bytes(producer="a\0b"), "NUL character"),
    "NUL after a backslash": (_bytes(producer="a\\\0"), "NUL character"),
    "no payload": (_bytes(payload=None), "ActualAvailable: payload: "),
    "a payload that is a list": (_bytes(payload=[CLOSE]), "ActualAvailable: payload: "),
    "a payload nested deep": (_spliced("payload", _deep(1000)), "ActualAvailable: payload: "),
    "a number as text": (_close(actual_close="1260.2"), "ActualAvailable: actual_close: "),
    "a number that is true": (_close(actual_close=True), "ActualAvailable: actual_close: "),
    "a number that is null": (_close(actual_close=None), "ActualAvailable: actual_close: "),
    "an infinite number": (
        _spliced("payload", '{"symbol": "A", "date": "2023-06-01", "actual_close": 1e999}'),
        "not JSON",
    ),
    "a date with a time": (_close(date="2023-06-01T00:00:00"), "YYYY-MM-DD"),
    "a date in seconds": (_close(date=1685577600), "YYYY-MM-DD"),
    "a date in other digits": (_close(date="\u0662\u0660\u0662\u0663-06-01"), "YYYY-MM-DD"),
    "a date that does not exist": (_close(date="2023-02-30"), "ActualAvailable: date: "),
    "a huge symbol": (_close(symbol="x" * 1_000_000), "ActualAvailable: symbol: "),
    "an empty symbol": (_close(symbol=""), "ActualAvailable: symbol: "),
    "a symbol with a line feed": (_close(symbol="NABIL\n"), "printable"),
    "a symbol with a right-to-left mark": (_close(symbol="NABIL\u202e"), "printable"),
    "a symbol that is a number": (_close(symbol=7), "ActualAvailable: symbol: "),
    "a negative revision": (_close(revision=-1), "ActualAvailable: revision: "),
    "a fractional revision": (_close(revision=0.5), "ActualAvailable: revision: "),
    "a revision beyond 64 bits": (_close(revision=LARGEST_INTEGER + 1), "ActualAvailable: revision: "),
    "a revision of 400 digits": (_close(revision=10**399), "not JSON"),
    "an attempt as text": (
        _bytes(event_type="LetterRetried", payload={"letter_id": "a", "attempt": "3", "reason": "b"}),
        "LetterRetried: attempt: ",
    ),
    "a feature with a hostile name": (
        _bytes(event_type="FeaturesComputed", payload=CLOSE | {"features": {"\x1b" + "x" * 100_000: "1"}}),
        r"FeaturesComputed: features.'\x1bxxx",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_in_a_short_sentence(name: str) -> None:
    """The dead letter's reason names the fault, is printable and does not repeat the whole attack."""
    value, words = HOSTILE[name]
    assert words in _refusal(value)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    """Only the character itself is refused, not text that talks about it."""
    assert decode(_bytes(producer="\\u0000")).producer == "\\u0000"


@pytest.mark.parametrize("held", [0, 1, "true", "yes", 1.0])
def test_a_flag_is_true_or_false(held: object) -> None:
    """The schema that we publish says boolean, and the reader means it."""
    payload = {"model_version": "v1", "performance": {}, "features_used": [], "artifact_location": "x"}
    assert "promoted" in _refusal(_bytes(event_type="ModelTrained", payload=payload | {"promoted": held}))


def _verdict(read: Callable[[bytes], Event[Payload]], value: bytes) -> Event[Payload] | str:
    """The event, or why there is none."""
    try:
        return read(value)
    except ContractError as refused:
        return str(refused)


def _whole(value: bytes) -> Event[Payload] | None:
    """An event that stands every check, or none after a proper refusal."""
    verdict = _verdict(decode, value)
    slow = _verdict(envelope._decode, value)
    assert verdict == slow
    if isinstance(verdict, Event):
        assert isinstance(slow, Event)
        assert encode(verdict) == encode(slow)
        return _checked(verdict)
    assert len(verdict) <= LONGEST_MESSAGE
    return None


def _checked(event: Event[Payload]) -> Event[Payload]:
    again = encode(event)
    assert decode(again) == event
    SCHEMAS[event.event_type].validate(json.loads(again))
    return event


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.sampled_from(["2023-06-01", "NABIL", "\0"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@SETTINGS
@given(st.binary())
@example(b"\xef\xbb\xbf" + _bytes())
@example(_bytes().decode().encode("utf-16"))
def test_any_bytes_are_an_event_or_refused(value: bytes) -> None:
    """No other exception leaves the decoder."""
    assert _whole(value) is None


@SETTINGS
@given(st.integers(0, len(_bytes()) - 1), st.binary(max_size=3))
def test_a_damaged_event_is_an_event_or_refused(place: int, patch: bytes) -> None:
    """Bit rot at any place of a good event."""
    good = _bytes(metadata={"event_id": "id"})
    event = _whole(good[:place] + patch + good[place + len(patch) :])
    assert event is None or event.event_type in PAYLOADS


@st.composite
def _almost(draw: st.DrawFn) -> bytes:
    """An event of any type in which any field of any level may hold anything."""
    name = draw(st.sampled_from(sorted(PAYLOADS)))
    fields = draw(st.sets(st.sampled_from(sorted(PAYLOADS[name].model_fields))))
    payload = GOOD[name] | {field: draw(JSON) for field in fields if draw(st.booleans())}
    names = ["event_id", "correlation_id", "schema_version", "producer_version", "causation"]
    metadata = draw(st.dictionaries(st.sampled_from(names), JSON))
    outer = draw(
        st.dictionaries(st.sampled_from(["timestamp", "producer", "metadata", "else"]), JSON, max_size=1)
    )
    return json.dumps(_raw(event_type=name, payload=payload, metadata=metadata) | outer).encode()


METADATA = {
    "event_id": "a",
    "correlation_id": "b",
    "schema_version": 1,
    "causation": {"topic": "raw-data", "partition": 0, "offset": 7, "event_id": "c"},
    "producer_version": "0.1.0",
}


@st.composite
def _ours(draw: st.DrawFn) -> bytes:
    """An event as we write it, with something else in one place of it."""
    name = draw(st.sampled_from(sorted(PAYLOADS)))
    parts: dict[str, Any] = {"payload": GOOD[name], "metadata": METADATA}
    part = draw(st.sampled_from([*parts, "causation", "timestamp", "producer"]))
    if part == "causation":
        parts["metadata"] = METADATA | {part: METADATA[part] | draw(_one_of(*METADATA[part]))}  # type: ignore[operator]
    elif part in parts:
        names = METADATA if part == "metadata" else PAYLOADS[name].model_fields
        parts[part] = parts[part] | draw(_one_of(*names))
    else:
        parts[part] = draw(JSON)
    return json.dumps(_raw(event_type=name, **parts), ensure_ascii=draw(st.booleans())).encode(
        errors="replace"
    )


def _one_of(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    odd = st.sampled_from(
        [2**63, -1, 0, 1, 10**400, -0.0, 1e308, "", "x" * 64, "x" * 201, "x" * 4097, "2023-02-29"]
    )
    return st.dictionaries(st.sampled_from([*names, "else"]), JSON | odd, max_size=1)


VALUES: dict[str, Any] = {"string": "x", "number": 1.5, "integer": 1, "array": [], "object": {}}


def _good(name: str) -> dict[str, Any]:
    shape = schema(PAYLOADS[name])["$defs"][name]
    parts = {field: shape["properties"][field] for field in shape["required"]}
    return {
        field: "2023-06-01" if "format" in part else VALUES[part["type"]] for field, part in parts.items()
    }


GOOD = {name: _good(name) for name in PAYLOADS}


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_least_event_of_each_type_is_accepted(name: str) -> None:
    """The fuzzing below starts from events that are good."""
    assert _whole(_bytes(event_type=name, payload=GOOD[name])) is not None


@SETTINGS
@given(_almost())
def test_an_almost_good_event_is_an_event_or_refused(value: bytes) -> None:
    """Wrong types at any level end in a refusal, and whatever is accepted can be written again."""
    event = _whole(value)
    assert event is None or event.event_type == orjson.loads(value)["event_type"]


@SETTINGS
@given(_ours())
def test_an_event_of_our_own_is_read_the_same_both_ways(value: bytes) -> None:
    """The compiled contract takes nothing else than the models, and gives nothing else."""
    event = _whole(value)
    assert event is None or event.event_type == orjson.loads(value)["event_type"]


@pytest.mark.parametrize("text", [b"\\u0000", b"\xff", b"\xed\xa0\x80"])
def test_text_on_which_readers_of_json_differ_is_left_to_the_models(text: bytes) -> None:
    """A NUL that is written as an escape, and bytes that are no UTF-8, in an event of our own form."""
    assert _whole(_bytes(metadata=METADATA, producer="PRODUCER").replace(b"PRODUCER", text)) is None


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("causation", [None, Causation("raw-data", 0, 7, "c")])
def test_what_we_write_is_read_the_quick_way(name: str, causation: Causation | None) -> None:
    """Or the models would read all of it, and only the clock would show it."""
    payload = PAYLOADS[name].model_validate(GOOD[name])
    event = Event(NOON, "p", payload, Metadata("a", "b", 0, causation, "0.1.0"))
    assert envelope._compiled.read(encode(event)) is not None
    assert decode(encode(event)) == event


@SETTINGS
@given(_one_of("topic", "partition", "start", "end"))
@example({"else": 10**400})
def test_a_payload_within_a_payload_is_read_the_same_both_ways(odd: dict[str, Any]) -> None:
    """The models pass unknown fields over, but not what no reader of JSON takes."""
    span = {"topic": "features", "partition": 0, "start": 0, "end": 1} | odd
    payload = GOOD["SliceCommitted"] | {"ranges": [span]}
    event = _whole(json.dumps(_raw(event_type="SliceCommitted", payload=payload, metadata=METADATA)).encode())
    assert event is None or event.event_type == "SliceCommitted"


@given(st.integers(0, 600), st.binary(max_size=3))
@SETTINGS
def test_damage_to_our_own_form_is_seen_the_same_both_ways(place: int, patch: bytes) -> None:
    """Bit rot at any place of an event as we write it."""
    payload = PAYLOADS["PredictionMade"].model_validate(GOOD["PredictionMade"])
    good = encode(Event(NOON, "p", payload, Metadata("a", "b", 1, Causation("raw-data", 0, 7, "c"), "0.1.0")))
    event = _whole(good[:place] + patch + good[place + len(patch) :])
    assert event is None or event.event_type in PAYLOADS


def test_a_letters_story_is_keyed_by_the_letter() -> None:
    """Keys keep what belongs together in order: symbol, else what the payload names."""
    assert LetterRetried(letter_id="a", attempt=1, reason="b").key == "a"
    assert ActualAvailable.model_validate(CLOSE).key == "NABIL"
