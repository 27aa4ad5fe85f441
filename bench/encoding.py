"""What encoding, rounding and compression bring for a feature event: `python -m bench.encoding`.

FeaturesComputed events of `NAMES` features from a simulated market, in batches as the Kafka client builds
them, without a broker. CPU time, the best of some rounds. Prints a table in markdown.
"""

import argparse
import gzip
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa
from kafka.codec import gzip_encode
from kafka.record.default_records import DefaultRecordBatchBuilder

from events.envelope import Event, Metadata, decode, derive_id, encode
from events.payloads import FeaturesComputed, Payload
from tasks.core import features
from tasks.core.panel import Panel
from tasks.core.simulator import simulate
from tasks.core.written import _rounded, written

NAMES, SYMBOLS, SESSIONS, ROUNDS = 180, 350, 4, 5
BATCH_BYTES = 1024 * 1024
"""Size of a batch before it is compressed, as `infra.kafka.clients` sets it."""

Vector = dict[str, float | None]


@dataclass(frozen=True)
class Codec:
    """A compression of whole batches; lz4 and zstd by pyarrow, which holds the same C libraries."""

    name: str
    pack: Callable[[bytes], bytes]
    unpack: Callable[[bytes, int], bytes]


def _arrow(name: str, level: int | None = None) -> Codec:
    codec = pa.Codec(name, compression_level=level)
    return Codec(
        name,
        lambda body: bytes(codec.compress(body, asbytes=True)),
        lambda body, size: bytes(codec.decompress(body, size, asbytes=True)),
    )


CODECS = (
    Codec("none", bytes, lambda body, _: body),
    Codec("gzip, level 9 (the client's)", gzip_encode, lambda body, _: gzip.decompress(body)),
    Codec("gzip, level 1", lambda body: gzip.compress(body, 1), lambda body, _: gzip.decompress(body)),
    _arrow("lz4"),
    _arrow("zstd", 3),  # the level that the client leaves it at
)


def vectors(digits: int) -> list[Vector]:
    """Compute features of the market's last sessions, rounded to so many digits.

    Where the feature set has fewer than NAMES, the same features of earlier sessions fill it up.
    """
    market = simulate(features.WINDOW + 40, SYMBOLS, seed=1)
    panel = Panel.from_sessions([(session.date, session.rows) for session in market])
    depth = SESSIONS + -(-NAMES // len(features.FEATURES)) * SESSIONS
    frame = features.compute(panel, since=panel.dates[-depth])
    days = sorted(set(frame["date"]))
    by_day = {day: rows.set_index("symbol") for day, rows in frame.groupby("date")}
    return [one for number in range(1, SESSIONS + 1) for one in _joined(by_day, days[:-number], digits)]


def _joined(by_day: Any, days: list[date], digits: int) -> Iterator[Vector]:
    """Features of the last of the days, then those of days before under names of their own."""
    parts = []
    for back in range(-(-NAMES // len(features.FEATURES))):
        part = by_day[days[-1 - back * SESSIONS]][list(features.FEATURES)]
        parts.append(part.add_suffix(f"_Lag_{back}") if back else part)
    table = parts[0].join(parts[1:]).iloc[:, :NAMES]
    for row in table.to_numpy("float64"):
        known = [None if np.isnan(x) else float(f"{x:.{digits}g}") for x in row.tolist()]
        yield dict(zip(table.columns, known, strict=True))


def events(rows: Sequence[Any]) -> list[Event[Payload]]:
    """Put vectors into events as compute-features does."""
    made: list[Event[Payload]] = []
    for number, row in enumerate(rows):
        identity = derive_id("compute-features", "cause", str(number))
        symbol, day = f"SYM{number % SYMBOLS}", date(2024, 1, 1 + number // SYMBOLS)
        payload = FeaturesComputed(
            symbol=symbol, date=day, features={}, feature_set=features.FEATURE_SET, last_close=512.5
        )
        payload = FeaturesComputed.known(payload.__dict__ | {"features": row})
        moment = datetime(2024, 1, 1, 10, 0, 0, number, tzinfo=UTC)
        made.append(Event(moment, "compute-features", payload, Metadata(identity, identity)))
    return made


def encodings(made: list[Event[Payload]]) -> dict[str, list[bytes]]:
    """Write the same events in other forms; only the first is the contract's."""
    raw = [orjson.loads(encode(event)) for event in made]
    bare = [{**one, "payload": {**one["payload"], "features": _values(one)}} for one in raw]
    pack = msgspec.msgpack.Encoder().encode
    return {
        "JSON, an object (the contract)": [encode(event) for event in made],
        "JSON, values without names": [orjson.dumps(one) for one in bare],
        "MessagePack, an object": [pack(one) for one in raw],
        "MessagePack, values without names": [pack(one) for one in bare],
    }


def _values(one: dict[str, Any]) -> list[float | None]:
    return list(one["payload"]["features"].values())


def batches(values: list[bytes]) -> list[bytes]:
    """Build the client's record batches, and give their bodies, which is what a codec gets."""
    made, left = [], list(values)
    while left:
        builder = DefaultRecordBatchBuilder(2, 0, True, 1, 0, 0, BATCH_BYTES)
        taken = 0
        while taken < len(left) and builder.append(taken, 0, b"SYM", left[taken], []) is not None:
            taken += 1
        made.append(bytes(builder.build())[builder.header_size_in_bytes() :])
        del left[:taken]
    return made


def spent(call: Callable[[], Any]) -> float:
    """Measure seconds of CPU, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        since = time.process_time()
        call()
        best = min(best, time.process_time() - since)
    return best


def _each(call: Callable[..., Any], inputs: Sequence[tuple[Any, ...]]) -> None:
    for one in inputs:
        call(*one)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def compressions(made: list[Event[Payload]], digits: int) -> str:
    """Tell for one number of digits what each codec makes of it."""
    values = [encode(event) for event in made]
    count, text = len(values), ""
    write = spent(lambda: [encode(event) for event in made]) / count * 1e6
    build = spent(lambda: batches(values)) / count * 1e6
    read = spent(lambda: [decode(value) for value in values]) / count * 1e6
    bodies = batches(values)
    for codec in CODECS:
        packed = [codec.pack(body) for body in bodies]
        pairs = list(zip(packed, map(len, bodies), strict=True))
        pack = spent(partial(_each, codec.pack, [(body,) for body in bodies])) / count * 1e6
        unpack = spent(partial(_each, codec.unpack, pairs)) / count * 1e6
        wire = sum(map(len, packed)) / count
        sent, got = 1e6 / (write + build + pack), 1e6 / (read + unpack)
        text += _row(
            digits, codec.name, f"{wire:,.0f}", f"{pack:.1f}", f"{unpack:.1f}", f"{sent:,.0f}", f"{got:,.0f}"
        )
    return text


def ways(rows: list[Vector]) -> str:
    """Tell what an event costs from its numbers, not yet rounded, to its bytes: by dicts, and without."""
    table, names = np.array([list(row.values()) for row in rows], dtype="float64"), list(rows[0])
    made = {"a dict for each": written, "JSON written ahead from the array": ahead}
    text = _row("way from numbers to bytes", "µs an event") + "|---|---|\n"
    for name, way in made.items():
        cost = spent(partial(_sent_by, way, table, names)) / len(rows) * 1e6
        text += _row(name, f"{cost:.1f}")
    return text + "\n"


def _sent_by(way: Callable[..., list[Any]], table: Any, names: list[str]) -> list[bytes]:
    return [encode(event) for event in events(way(table, names))]


def ahead(table: Any, names: list[str]) -> list[orjson.Fragment]:
    """Write rows of an array as JSON objects without a dict for each: the bytes are the same."""
    known = np.isfinite(table)
    rounded = np.where(known, _rounded(np.where(known, table, 0.0)), np.nan)
    text = orjson.dumps(np.ascontiguousarray(rounded), option=orjson.OPT_SERIALIZE_NUMPY)
    keys = [orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in names]
    pattern = b"{" + b",".join(keys) + b"}"
    return [orjson.Fragment(pattern % tuple(row.split(b","))) for row in text[2:-2].split(b"],[")]


def report() -> str:
    """Measure everything and write the tables."""
    rows = {digits: vectors(digits) for digits in (7, 6)}
    made = {digits: events(some) for digits, some in rows.items()}
    text = _row("encoding, 7 digits", "bytes an event", "with lz4", "with zstd") + "|---|---|---|---|\n"
    for name, values in encodings(made[7]).items():
        bodies, count = batches(values), len(values)
        sizes = [sum(len(codec.pack(body)) for body in bodies) / count for codec in (CODECS[0], *CODECS[-2:])]
        text += _row(name, *(f"{size:,.0f}" for size in sizes))
    text += "\n" + _row("digits", "codec", "bytes an event", "µs to pack", "µs to unpack", "sent/s", "read/s")
    text += "|---|---|---|---|---|---|---|\n"
    return ways(rows[7]) + text + "".join(compressions(some, digits) for digits, some in made.items())


def main() -> None:
    """Print the tables."""
    argparse.ArgumentParser(prog="python -m bench.encoding", description=__doc__).parse_args()
    sys.stdout.write(report())


if __name__ == "__main__":
    main()
