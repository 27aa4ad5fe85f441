"""Comparing two states of the feature table by their rows, whatever files and column order they came in."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEY = ("symbol", "date")
Hashes = NDArray[np.uint64]


class Rows(NamedTuple):
    """Of each row: hashes of its key and of all that is in it, and the record it came from."""

    keys: Hashes
    contents: Hashes
    partitions: NDArray[np.int64]
    offsets: NDArray[np.int64]


class Verdict(NamedTuple):
    """Two digests of the rows that both states should share, and how many rows were left out."""

    before: tuple[int, str]
    after: tuple[int, str]
    moved: int
    """Rows that records beyond the limits wrote."""


def rows_of(frames: Iterable[pd.DataFrame]) -> Rows:
    """Hash rows, frame by frame: 32 bytes a row stay."""
    parts = [
        Rows(
            _mixed(frame, KEY),
            _mixed(frame, tuple(frame.columns)),
            frame["partition"].to_numpy(np.int64),
            frame["offset"].to_numpy(np.int64),
        )
        for frame in frames
        if len(frame)
    ]
    hashes, numbers = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    parts.append(Rows(hashes, hashes, numbers, numbers))
    keys, contents, partitions, offsets = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Rows(keys, contents, partitions, offsets)


def _mixed(frame: pd.DataFrame, columns: tuple[str, ...]) -> Hashes:
    """Add the columns' hashes up: their order does not count, nor whether an empty column is there."""
    total = np.zeros(len(frame), np.uint64)
    for name in columns:
        column: Any = frame[name]
        values = column.to_numpy(object) if column.dtype.kind not in "fiuM" else column.to_numpy()
        hashed = (pd.util.hash_array(values, categorize=False) + _factor(f"{name}+")) * _factor(name)
        hashed ^= hashed >> np.uint64(29)  # the library's hash of 0.0 is 0, which must differ from nothing
        total += np.where(column.isna(), np.uint64(0), hashed * _factor(f"{name}'"))
    return total


def _factor(name: str) -> np.uint64:
    """Make an odd number from a column's name."""
    return np.uint64(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") | 1)


def compare(before: Rows, after: Rows, limits: Mapping[tuple[str, int], int]) -> Verdict:
    """Digest both states over the keys that no record at or beyond `limits` has written."""
    beyond = [_beyond(rows, limits) for rows in (before, after)]
    moved = np.union1d(before.keys[beyond[0]], after.keys[beyond[1]])
    return Verdict(_digest(before, moved), _digest(after, moved), len(moved))


def _beyond(rows: Rows, limits: Mapping[tuple[str, int], int]) -> NDArray[np.bool_]:
    known = {partition: offset for (_, partition), offset in limits.items()}
    return np.array(
        [o >= known.get(p, 0) for p, o in zip(rows.partitions.tolist(), rows.offsets.tolist(), strict=True)],
        dtype=bool,
    )


def _digest(rows: Rows, without: Hashes) -> tuple[int, str]:
    kept = ~np.isin(rows.keys, without)
    contents = rows.contents[kept]
    total = int(contents.sum(dtype=np.uint64)) if len(contents) else 0
    mixed = contents * contents  # a second sum, of squares, that other changes would have to meet as well
    squares = int(mixed.sum(dtype=np.uint64)) if len(contents) else 0
    return int(kept.sum()), f"{total:016x}{squares:016x}"
