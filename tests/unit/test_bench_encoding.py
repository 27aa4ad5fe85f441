"""The benchmark of the wire form measures what it says."""

from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from bench import encoding
from events.envelope import decode
from tasks.core.written import written

ROWS: list[dict[str, float | None]] = [{"RSI": number / 7, "OBV": None} for number in range(40)]


def test_every_form_says_the_same() -> None:
    """The first is the contract's; the others hold the same event."""
    made = encoding.events(ROWS)
    forms = encoding.encodings(made)
    json, bare, packed, packed_bare = forms.values()
    assert [decode(value) for value in json] == made
    assert [msgspec.msgpack.decode(value) for value in packed] == [orjson.loads(value) for value in json]
    assert [msgspec.msgpack.decode(value) for value in packed_bare] == [orjson.loads(one) for one in bare]
    values: list[Any] = [orjson.loads(value)["payload"]["features"] for value in bare]
    assert values == [list(row.values()) for row in ROWS]


@pytest.mark.parametrize("codec", encoding.CODECS, ids=lambda codec: codec.name)
def test_batches_hold_every_event_and_come_back(
    codec: encoding.Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event is lost between batches, none is larger than a batch may be, and codecs lose nothing."""
    monkeypatch.setattr(encoding, "BATCH_BYTES", 4_000)
    values = encoding.encodings(encoding.events(ROWS))["JSON, an object (the contract)"]
    bodies = encoding.batches(values)
    assert len(bodies) > 1
    assert all(len(body) <= encoding.BATCH_BYTES for body in bodies)
    for body in bodies:
        assert codec.unpack(codec.pack(body), len(body)) == body
    assert all(sum(value in body for body in bodies) == 1 for value in values)


def test_a_batch_is_the_clients() -> None:
    """The body that is compressed is what the client's own reader finds in a batch."""
    builder = DefaultRecordBatchBuilder(2, 0, True, 1, 0, 0, 4_000)
    builder.append(0, 0, b"SYM", b"value", [])
    whole = bytes(builder.build())
    assert whole.endswith(encoding.batches([b"value"])[0])
    assert [record.value for record in DefaultRecordBatch(bytearray(whole))] == [b"value"]


def test_vectors_are_of_the_size_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """NAMES features of each symbol and session, rounded, under names of their own."""
    monkeypatch.setattr(encoding, "SYMBOLS", 6)
    found = encoding.vectors(digits=3)
    assert {len(row) for row in found} == {encoding.NAMES}
    assert len(found) > encoding.SESSIONS
    numbers = [x for row in found for x in row.values() if x is not None]
    assert all(x == float(f"{x:.3g}") for x in numbers)
    assert encoding.ways(found).count("\n") == 5


def test_both_ways_write_the_same_bytes() -> None:
    """What is written ahead is what a dict gives, whatever the names and the numbers."""
    names = ["A", 'with "quotes"', "100%", "%s%b", "ünï"]
    table = np.array([[0.0, -0.0, np.nan, np.inf, 1e-15], [123456789.4, 1e22, 0.1, -5e-324, 1e-7]])
    assert encoding._sent_by(encoding.ahead, table, names) == encoding._sent_by(written, table, names)
