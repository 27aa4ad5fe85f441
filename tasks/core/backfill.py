"""What a backfill has to do: which sessions, cut into which blocks, and what of them is missing."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from events.payloads import FeaturesComputed, PredictionMade
from tasks.core.feature_sets import are_of, set_of
from tasks.core.features import FEATURE_SET

T = TypeVar("T")

SESSIONS_A_BLOCK = 14
"""Most sessions of one transaction: about 4,900 vectors of 5 kB, 25 MB and a second."""

ROWS_A_BLOCK = 5_000
"""Most rows of those sessions: where there are more symbols, a block holds fewer sessions, at least one."""

ROWS_SUPPOSED = 350
"""Rows of a session of which nobody told how many it has."""

Key = tuple[str, date | None]
"""A symbol, and a session."""

Flow = Literal["features", "predictions", "errors"]
"""What is computed again; what follows from it does so through the live flows."""


def cut(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of `size`, the last one shorter, in their order."""
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def blocks_of(items: Iterable[T], rows: Callable[[T], int | None]) -> Iterator[list[T]]:
    """Cut sessions into blocks that one transaction can hold; `rows` tells how many rows an item has."""
    block: list[T] = []
    total = 0
    for item in items:
        found = rows(item)
        more = ROWS_SUPPOSED if found is None else found
        if block and (len(block) == SESSIONS_A_BLOCK or total + more > ROWS_A_BLOCK):
            yield block
            block, total = [], 0
        block.append(item)
        total += more
    if block:
        yield block


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: sessions `start` to `end`, both included, of all symbols or of some."""

    start: date
    end: date
    symbols: tuple[str, ...] = ()
    flow: Flow = "features"
    force: bool = False

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits, the same for the same request of the same code.

        Vectors of another feature set are another request: blocks of older ones do not count as done.
        """
        told = [str(self.start), str(self.end), sorted(set(self.symbols)), self.flow, self.force]
        told += [FEATURE_SET] if self.flow == "features" else []
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]

    def means(self, symbol: str) -> bool:
        """Tell whether a symbol is asked for."""
        return not self.symbols or symbol in self.symbols


class Committed(Protocol):
    """A block that was committed (`infra.kafka.blocks.Block`)."""

    @property
    def publisher(self) -> str: ...  # noqa: D102
    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def published(self) -> Mapping[date, int]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Plan:
    """The blocks of a run, those that an earlier one left to do, and what it already published."""

    publisher: str
    """Under which the ledger notes its blocks: the request, and the number of its run."""
    end: int
    """Raw-data counts up to this offset, exclusive, whatever arrives while the run goes on."""
    blocks: list[list[date]]
    """What is left to do, oldest first."""
    done: int
    """Blocks that were committed before the run was broken off."""

    @property
    def sessions(self) -> int:
        """How many sessions are left to do."""
        return sum(len(block) for block in self.blocks)

    @property
    def resumes(self) -> bool:
        """Whether an earlier run was broken off."""
        return self.done > 0


def plan(
    request: Request,
    end: int,
    days: Callable[[int], Mapping[date, int | None]],
    committed: Iterable[Committed],
) -> Plan:
    """Plan a run: the rest of one that was broken off, else a new one.

    Args:
        request: what was asked for.
        end: of raw-data now, exclusive.
        days: gives the sessions of the request that are held up to an end of raw-data, oldest first, and how
            many rows each has, where that is known.
        committed: the ledger's blocks in their order, whoever published them.
    """
    mine = [one for one in committed if one.publisher.startswith(f"backfill.{request.digest}.")]
    if mine:
        latest = mine[-1]
        done = [one for one in mine if one.publisher == latest.publisher]
        found = {day for one in done for day in one.published}
        left = {day: rows for day, rows in days(latest.end).items() if day not in found}
        if left:
            return Plan(latest.publisher, latest.end, list(blocks_of(left, left.get)), len(done))
    number = int(mine[-1].publisher.rsplit(".", 1)[-1]) + 1 if mine else 0
    held = days(end)
    blocks = list(blocks_of(held, held.get))
    return Plan(f"backfill.{request.digest}.{number}", end, blocks, 0)


def lacking_vectors(computed: Sequence[FeaturesComputed], stored: pd.DataFrame) -> list[FeaturesComputed]:
    """Find the vectors of one session that are not stored as they were computed.

    Args:
        computed: n vectors of one session and feature set.
        stored: rows of the feature table of that session: symbol, feature_set, revision, last_close and
            features, in any order.

    Returns:
        Those that are missing, of another feature set, or of other values; a stored row of a higher revision
        knows more than we do and stays.
    """
    if not computed or stored.empty:
        return list(computed)
    names = list(computed[0].features)
    rows = stored.set_index("symbol").reindex([vector.symbol for vector in computed])
    values = rows.reindex(columns=["last_close", *names]).to_numpy("float64", na_value=np.nan)
    wanted = _values(computed, names)
    same = ((values == wanted) | (np.isnan(values) & np.isnan(wanted))).all(axis=1)
    there = rows["revision"].notna().to_numpy()
    same &= are_of(rows["feature_set"], set_of(computed[0].feature_set)).to_numpy(bool)
    newer = rows["revision"].fillna(-1).to_numpy("float64") > [vector.revision for vector in computed]
    settled = there & (same | newer)
    return [vector for vector, done in zip(computed, settled, strict=True) if not done]


def _values(computed: Sequence[FeaturesComputed], names: list[str]) -> npt.NDArray[np.float64]:
    cells = [[vector.last_close, *map(vector.features.__getitem__, names)] for vector in computed]
    return np.array(cells, dtype="float64")


class Forecast(NamedTuple):
    """What counts of a stored prediction."""

    predicted_close: float
    model_version: str
    revision: int


def lacks_prediction(made: PredictionMade, stored: Forecast | None) -> bool:
    """Tell whether a prediction is not stored as it is made now; one of a higher revision stays."""
    if stored is None:
        return True
    if stored.revision > made.revision:
        return False
    return stored != Forecast(made.predicted_close, made.model_version, made.revision)


def lacks_error(about: Key, closed: Collection[Key], judged: Collection[Key]) -> bool:
    """Tell of a prediction, by symbol and the session before, whether it has an actual and no error."""
    return about in closed and about not in judged
