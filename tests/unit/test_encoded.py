"""Parts of events that are written ahead: nobody can tell from the bytes, or from what they hold."""

import pickle
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.encoded import Encoded
from events.envelope import Event, Metadata, decode, encode
from events.payloads import FeaturesComputed, Payload
from tasks.core.written import SIGNIFICANT, written

MOMENT = datetime(2024, 1, 1, 10, tzinfo=UTC)
NAMES = ["A", 'with "quotes"', "100%", "%s%b", "ünï", "a b"]


def an_event(features: object) -> Event[Payload]:
    """An event with these features, unchecked as in the flow."""
    made = FeaturesComputed(symbol="NICAD 85/86", date=date(2024, 1, 1), features={}, last_close=1.5)
    payload = FeaturesComputed.known(made.__dict__ | {"features": features})
    return Event(MOMENT, "compute-features", payload, Metadata("id", "id"))


@given(st.lists(st.lists(st.floats(), min_size=6, max_size=6), max_size=4))
@example([[0.0, -0.0, 1e-15, 123456789.4, float("nan"), float("inf")]])
@example([[1e22, 1e-7, 5e-324, 1.7e308, 100.0, 0.1]])
def test_the_wire_form_is_that_of_a_dict(rows: list[list[float]]) -> None:
    """Byte for byte the event that the same numbers in a dict give; what is not finite is null."""
    values = np.array(rows, dtype="float64").reshape(len(rows), 6)
    ahead = written(values, NAMES)
    assert len(ahead) == len(rows)
    for one, row in zip(ahead, values, strict=True):
        plain = dict(one)
        assert list(plain) == NAMES
        assert encode(an_event(one)) == encode(an_event(plain))
        assert [number is not None for number in plain.values()] == np.isfinite(row).tolist()


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_numbers_keep_their_digits(number: float, column: int) -> None:
    """A value is off by half a unit of its last digit at most, wherever it stands."""
    row = np.full((1, 5), 3.0)
    row[0, column] = number
    kept = written(row, "abcde")[0]["abcde"[column]]
    assert kept == pytest.approx(number, rel=0.51 * 10.0 ** (1 - SIGNIFICANT), abs=1e-12)


def test_a_reader_sees_what_was_written() -> None:
    """A vector comes back from the wire as plain numbers, checked as every event is."""
    features = written(np.array([[1.25, np.nan]]), ["RSI", "OBV"])[0]
    read = decode(encode(an_event(features))).payload
    assert isinstance(read, FeaturesComputed)
    assert read.features == {"RSI": 1.25, "OBV": None} == features


def test_it_is_a_mapping_like_any_other() -> None:
    """Looked into, compared and sent to another process; checking a payload makes a dict of it."""
    one, other = Encoded(b'{"a":1.0,"b":null}'), Encoded(b'{"b":null,"a":1.0}')
    assert (one["a"], list(one), len(one), "b" in one, "c" in one) == (1.0, ["a", "b"], 2, True, False)
    assert one == other
    assert one != Encoded(b'{"a":1.0}')
    assert pickle.loads(pickle.dumps(one)).json == one.json  # noqa: S301  (our own bytes)
    checked = FeaturesComputed(symbol="A", date=date(2024, 1, 1), features=one)
    assert checked.features == {"a": 1.0, "b": None}
    assert type(checked.features) is dict


def test_no_row_and_no_name() -> None:
    """Nothing in, nothing out; an object without fields is still one."""
    assert written(np.empty((0, 3)), "abc") == []
    assert [one.json for one in written(np.empty((2, 0)), "")] == [b"{}", b"{}"]
