"""Records become rows: which table, which of two duplicates, and what is left out."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import Causation, Event, Metadata, decode, encode
from events.payloads import (
    PAYLOADS,
    ActualAvailable,
    AlertAcknowledged,
    AlertRaised,
    FeaturesComputed,
    OffsetRange,
    Payload,
    PredictionMade,
    SliceCommitted,
)
from infra.database.tables import metadata
from tasks.core.feature_frame import feature_frame
from tasks.core.projection import COLUMNS, EVENT_COLUMNS, project
from tasks.core.shapes import LONGEST_INDEXED, SHAPES, indexed

DAY = date(2024, 3, 3)
GOLDEN = Path(__file__).parents[1] / "contract" / "golden"


@dataclass
class FakeRecord:
    """What a consumer hands over."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 1_709_500_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


def event(payload: Payload, name: str) -> bytes:
    """Encode an event with an id of its own."""
    causation = Causation(topic="features", partition=1, offset=7, event_id="cause")
    metadata = Metadata(event_id=name, correlation_id=name, causation=causation)
    return encode(
        Event(timestamp=datetime(2024, 3, 4, tzinfo=UTC), producer="t", payload=payload, metadata=metadata)
    )


def actual(name: str, offset: int, partition: int = 0, symbol: str = "NABIL") -> FakeRecord:
    """One close."""
    payload = ActualAvailable(symbol=symbol, date=DAY, actual_close=500.5)
    return FakeRecord("actuals", partition, offset, event(payload, name))


def features(offset: int, *, day: date = DAY, revision: int = 0, **values: float | None) -> FakeRecord:
    """One feature vector."""
    payload = FeaturesComputed(symbol="NABIL", date=day, features=values, revision=revision)
    return FakeRecord("features", 0, offset, event(payload, f"f{offset}"))


def named(table: str, row: tuple[object, ...]) -> dict[str, object]:
    """A row as a mapping."""
    return dict(zip(COLUMNS[table], row, strict=True))


def test_every_event_type_has_a_table_with_its_columns() -> None:
    """A column that the projection writes exists in the database, and no event type is forgotten."""
    assert set(SHAPES) | {"FeaturesComputed"} == set(PAYLOADS)
    for table, columns in COLUMNS.items():
        assert set(columns) <= set(metadata.tables[table].columns.keys())
        required = {c.name for c in metadata.tables[table].columns if not c.nullable}
        assert required <= set(columns)


def test_a_prediction_becomes_a_row_with_its_interval_and_cause() -> None:
    """The interval is spread over columns, and the record that caused the event is named."""
    payload = PredictionMade(
        symbol="NABIL", date=DAY, predicted_close=501.0, model_version="3", interval_95=(480.0, 520.0)
    )
    made = project([FakeRecord("predictions", 2, 9, event(payload, "p1"))])
    row = named("predictions", made.rows["predictions"]["p1"])
    assert (row["partition"], row["offset"], row["model_version"]) == (2, 9, "3")
    assert (row["low_95"], row["high_95"], row["low_80"]) == (480.0, 520.0, None)
    assert (row["cause_topic"], row["cause_partition"], row["cause_offset"]) == ("features", 1, 7)


def test_of_an_event_delivered_twice_the_lowest_place_stays() -> None:
    """Whatever the order of delivery, the same record wins, so that a rebuild gives the same table."""
    first, again = actual("same", 4), actual("same", 9)
    for order in ([first, again], [again, first]):
        assert project(order).rows["actuals"]["same"][EVENT_COLUMNS.index("offset")] == 4


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"{", "not JSON"), (None, "no value"), (actual("x", 0).value, "does not belong on errors")],
    ids=["broken", "tombstone", "another topic's event"],
)
def test_what_is_no_event_of_the_topic_is_skipped(value: bytes | None, reason: str) -> None:
    """One bad record costs no other, and its place and reason are told."""
    made = project([FakeRecord("errors", 1, 5, value), actual("good", 6)])
    assert list(made.rows) == ["actuals"]
    assert [(s.topic, s.partition, s.offset) for s in made.skipped] == [("errors", 1, 5)]
    assert reason in made.skipped[0].reason


def test_a_ledger_entry_tells_each_of_its_ranges() -> None:
    """What was read and what was made, each with a name of its own, at the entry's place."""
    read = [OffsetRange(topic=topic, partition=1, start=4, end=9) for topic in ("predictions", "actuals")]
    made_at = [OffsetRange(topic="errors", partition=1, start=70, end=75)]
    entry = SliceCommitted(flow="join-errors", group="join-errors", ranges=read, outputs=made_at, run_id="r")
    found = project([FakeRecord("slices", 0, 12, event(entry, "s1"))]).rows["slice_ranges"]
    rows = [named("slice_ranges", row) for row in found.values()]
    assert [(r["topic"], r["number"], r["start"], r["end"], r["made"]) for r in rows] == [
        ("predictions", 1, 4, 9, False),
        ("actuals", 1, 4, 9, False),
        ("errors", 1, 70, 75, True),
    ]
    assert {(r["partition"], r["offset"], r["flow"]) for r in rows} == {(0, 12, "join-errors")}
    assert len({r["range_id"] for r in rows}) == len(rows)


def test_the_latest_features_are_by_session_then_revision() -> None:
    """A late event of an earlier session does not replace a newer vector; a revision does."""
    records = [features(1, RSI=1.0, day=date(2024, 3, 4)), features(2, RSI=2.0), features(3, RSI=3.0)]
    revised = features(0, RSI=4.0, day=date(2024, 3, 4), revision=1)
    before = named("latest_features", project(records).rows["latest_features"]["NABIL"])
    after = named("latest_features", project([revised, *records]).rows["latest_features"]["NABIL"])
    assert json.loads(str(before["features"])) == {"RSI": 1.0}
    assert json.loads(str(after["features"])) == {"RSI": 4.0}


def test_a_dead_letter_keeps_its_bytes_whatever_its_headers() -> None:
    """Headers of other writers can't break the row: no UTF-8, a NUL, a number that is none."""
    record = FakeRecord(
        "dead-letters", 0, 3, b"\x00raw", b"k", headers=(("reason", b"a\x00\xff"), ("source_offset", b"x1"))
    )
    made = project([record])
    (row,) = (named("dead_letters", r) for r in made.rows["dead_letters"].values())
    assert (row["value"], row["key"], row["size"]) == (b"\x00raw", b"k", 4)
    assert row["reason"] == "a\ufffd\ufffd"
    assert row["source_offset"] is None


@given(st.text(max_size=4_096))
def test_what_rows_are_found_by_fits_an_index(name: str) -> None:
    """A writer may give any text; a long one keeps its beginning, and different ones stay different."""
    short = indexed(name)
    assert short is not None
    assert len(short.encode()) <= LONGEST_INDEXED
    assert (short == name) == (len(name.encode()) <= LONGEST_INDEXED)
    assert indexed(name + "x" * 600) != indexed(name + "y" * 600)


def test_a_long_name_stops_no_projector() -> None:
    """Postgres refuses long index entries, for ever."""
    long = "".join(chr(33 + k * 7919 % 90) for k in range(4_096))
    said = AlertAcknowledged(rule=long, alert_id=long, by="me")
    raised = AlertRaised(rule=long, severity="info", message="m", alert_id=long)
    records = [FakeRecord("alerts", 0, k, event(one, f"e{k}")) for k, one in enumerate((said, raised))]
    letter = FakeRecord("dead-letters", 0, 3, b"raw", b"k", headers=(("letter_id", long.encode()),))
    made = project([*records, letter])
    rows = [named("alerts", row) for row in made.rows["alerts"].values()]
    assert [(row["rule"], row["alert_id"]) for row in rows] == [(indexed(long), indexed(long))] * 2
    assert [named("dead_letters", row)["letter_id"] for row in made.rows["dead_letters"].values()] == [
        indexed(long)
    ]


def test_the_feature_frame_has_nulls_where_an_event_has_no_such_feature() -> None:
    """Events with different features share a frame; a feature named like a column of ours is left out."""
    frame, skipped = feature_frame(
        [
            features(1, RSI=1.0, SMA_20=None),
            features(2, ATR=2.0, revision=9),
            FakeRecord("features", 0, 3, b""),
        ]
    )
    assert frame["RSI"].isna().tolist() == [False, True]
    assert frame["ATR"].isna().tolist() == [True, False]
    assert frame["SMA_20"].isna().all()
    assert frame["offset"].tolist() == [1, 2]
    assert len(skipped) == 1
    renamed, _ = feature_frame([features(1, symbol=1.0, RSI=2.0)])
    assert renamed["symbol"].tolist() == ["NABIL"]


def test_a_batch_without_events_makes_an_empty_frame() -> None:
    """Nothing but unreadable records still has the columns that the table needs."""
    frame, skipped = feature_frame([FakeRecord("features", 0, 0, None)])
    assert frame.empty
    assert "symbol" in frame.columns
    assert len(skipped) == 1


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_golden_event_has_a_value_for_each_column(path: Path) -> None:
    """A row is as wide as its table says, also where the payload gives it a single column."""
    for line in path.read_bytes().splitlines():
        payload = decode(line).payload
        shape = SHAPES.get(type(payload).__name__)
        assert shape is None or len(shape.values(payload)) == len(shape.columns)
