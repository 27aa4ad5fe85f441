"""Records that a hostile or broken writer may send, from hand-made ones to events with one thing wrong."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DEEP = 10_000
LONG = 1_000_000
HEADER_BYTES = 64_000

EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "raw-data": ("DataIngested", {"symbol": "NEPSE", "date": "2019-01-01", "data_location": "s3://x/y"}),
    "features": (
        "FeaturesComputed",
        {"symbol": "ODD", "date": "2019-01-01", "features": {"SMA_20": 1.0}, "last_close": 1.0},
    ),
    "predictions": (
        "PredictionMade",
        {"symbol": "ODD", "date": "2019-01-02", "predicted_close": 1.0, "model_version": "v0"},
    ),
    "actuals": ("ActualAvailable", {"symbol": "ODD", "date": "2018-01-02", "actual_close": 1.0}),
    "errors": (
        "ErrorComputed",
        {
            "symbol": "ODD",
            "date": "2019-01-02",
            "predicted": 1.0,
            "actual": 1.0,
            "error": 0.0,
            "abs_error": 0.0,
        },
    ),
    "alerts": ("AlertRaised", {"rule": "odd", "severity": "info", "message": "odd"}),
    "models": ("ModelPromoted", {"model_version": "odd", "reason": "odd"}),
    "training": ("ModelRetrainingTriggered", {"reason": "odd", "data_end_date": "2019-01-01"}),
}
"""An event of each input topic, to be broken."""

SPREAD = ("features", "predictions", "actuals", "errors")
EXTREME = tuple(
    product(("ODD1", "ODD2"), (1e308, -1e308, 5e-324, 0.0, -0.0, 123456789.123456789), (0, 2**53 - 1))
)
"""Symbols, prices and revisions that are numbers all the same."""
WRONG: tuple[Any, ...] = (None, True, [], {}, "", "x" * 300, "\x00", [[1]], {"a": None}, "2019-13-45", -1e300)


@dataclass(frozen=True)
class Sent:
    """A record to send; `broken` ones can't be an event of their topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    broken: bool = True


def handmade(topic: str) -> Iterator[Sent]:
    """Write each kind of breakage once."""
    good = json.dumps(event(topic)).encode()
    kind = EVENTS[topic][0].encode()
    for value in (
        *(b"\xff\xfe\x80", good[:-1] + b"\xc3\x28}", b"[" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
        *(good.replace(b'"%s"' % kind, number) for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999")),
        *_everywhere(topic, b"NaN", b"-Infinity", b"1e999", b'"' + b"x" * LONG + b'"'),
        *(good[: len(good) // 2], b"", b"null", b"42", b'"text"', b"[]", b"{}", b"\x00" * 100),
        good.replace(b'"payload"', b'"pay\\u0000load"'),
        None,
    ):
        yield Sent(topic, b"ODD", value)
    yield Sent(topic, b"\xff" * 1_000, b"{", (("h", b"x" * HEADER_BYTES), ("", b"\x00\xff")))
    yield Sent(topic, None, b"not JSON")


def _everywhere(topic: str, *values: bytes) -> Iterator[bytes]:
    """Put each value in place of each field that must be there."""
    mark = "here"
    for name in EVENTS[topic][1]:
        told = event(topic)
        told["payload"][name] = mark
        for value in values:
            yield json.dumps(told).encode().replace(b'"%s"' % mark.encode(), value)


def event(topic: str) -> dict[str, Any]:
    """Make an event that nothing is wrong with."""
    kind, payload = EVENTS[topic]
    return {
        "event_type": kind,
        "timestamp": "2019-01-01T00:00:00Z",
        "producer": "odd",
        "payload": dict(payload),
    }


def wrong_types(topic: str, rng: random.Random) -> Sent:
    """Put a wrong value into one of the fields that an event must have."""
    told = event(topic)
    name = rng.choice(["event_type", *(f"payload.{field}" for field in EVENTS[topic][1])])
    wrong = rng.choice([one for one in WRONG if _is_wrong(name, one)])
    if name == "event_type":
        told[name] = wrong
    else:
        told["payload"][name.split(".")[1]] = wrong
    return Sent(topic, b"ODD", json.dumps(told).encode())


def _is_wrong(name: str, value: Any) -> bool:
    """Leave out the values that a lenient reader may take."""
    if any(part in name for part in ("close", "predicted", "actual", "error")):
        return not isinstance(value, (bool, float)) and (name != "payload.last_close" or value is not None)
    if isinstance(value, str):
        return name == "event_type" or "date" in name or "features" in name or "\x00" in value
    return name != "payload.features" or not isinstance(value, dict)


def misplaced(topic: str, number: int) -> Sent:
    """Send a good event under a key of another symbol: it is to be put right and processed."""
    told = event(topic)
    told["payload"]["symbol"] = f"ODD{number}"
    return Sent(topic, b"SOMEBODY", json.dumps(told).encode(), broken=False)


def extreme(topic: str, symbol: str, price: float, revision: int) -> Sent:
    """Send a good event with numbers at the ends of what a double and an integer hold."""
    told = event(topic)
    payload = told["payload"] | {"symbol": symbol, "date": "2019-01-02", "revision": revision}
    for name in ("predicted_close", "actual_close", "last_close"):
        if name in payload:
            payload[name] = price
    return Sent(topic, symbol.encode(), json.dumps(told | {"payload": payload}).encode(), broken=False)


def anything(number: int) -> list[bytes]:
    """Draw JSON of any shape, and bytes of none, from hypothesis."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    shapes = st.recursive(
        leaves, lambda s: st.lists(s, max_size=4) | st.dictionaries(st.text(max_size=9), s, max_size=4)
    )
    values = shapes.map(lambda shape: json.dumps(shape).encode("utf-8", "surrogatepass")) | st.binary(
        max_size=60
    )
    drawn: list[bytes] = []

    @settings(max_examples=number, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values)
    def draw(value: bytes) -> None:
        drawn.append(value)

    draw()
    return drawn[:number]


def corpus(number: int, seed: int) -> list[Sent]:
    """Mix all kinds, at least `number` records over every input topic."""
    rng, topics = random.Random(seed), list(EVENTS)
    sent = [one for topic in topics for one in handmade(topic)]
    sent += [misplaced(topic, n) for topic in SPREAD for n in range(50)]
    sent += [
        extreme(topic, *values) for topic in ("features", "predictions", "actuals") for values in EXTREME
    ]
    sent += [Sent(rng.choice(topics), b"ODD", value) for value in anything(number // 3)]
    sent += [wrong_types(rng.choice(topics), rng) for _ in range(number - len(sent))]
    rng.shuffle(sent)
    return sent
