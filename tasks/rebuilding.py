"""Rebuilding a projection from the topics, and proving that the same came out."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine

from events.topics import TOPICS
from infra.database import connection, dropping, projected
from infra.errors import ReplanError, TryAgainError
from infra.feature_table import FeatureTable
from infra.kafka import scanning
from infra.kafka.scanning import Offsets
from infra.progress import tell
from infra.running import wait
from infra.settings import Settings
from tasks.core.projection import LETTERS
from tasks.core.rowdigest import compare, rows_of
from tasks.core.shapes import SHAPES
from tasks.projections import READ_SIDE, follow_features, follow_read_side

STALLED_SECONDS = 120.0
LOOK_SECONDS = 0.25
CLEARINGS = 10
FEATURES = "features"

TABLES: dict[str, str] = {
    **{SHAPES[event].table: t.name for t in TOPICS.values() for event in t.events if event in SHAPES},
    "dead_letters": LETTERS,
    "slice_ranges": "slices",
}
"""By table the topic whose records it holds."""
ONE_EACH: dict[str, tuple[str, ...]] = {
    "latest_features": (FEATURES,),
    "alerts_standing": ("alerts",),
    "letters_standing": (LETTERS, "redrives"),
}
"""By table of one row a symbol, alert or letter: the topics that it follows, first that of its places."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A table as it was and as it is; `same` is None where nothing can be compared, `note` says why."""

    table: str
    rows_before: int
    rows_after: int
    digest_before: str
    digest_after: str
    same: bool | None
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the comparison as JSON types."""
        return asdict(self)


def rebuild_read_side(settings: Settings) -> list[Rebuilt]:
    """Drop the read side and project all topics again; safe beside a projector, and after a kill.

    Compared is what lies below the positions that the read side had, which no later event changes.

    Raises:
        TryAgainError: broker or database away, or nothing moves any more.
    """
    connection.create(settings)
    engine = connection.engine(settings)
    ends, firsts = _bounds(settings, tuple(TOPICS))
    limits = dict.fromkeys(ends, 0) | projected.positions(engine, READ_SIDE, ends)
    before = _digests(engine, limits)
    kept = {table: (topic, firsts) for table, topic in TABLES.items()}
    dropping.drop(engine, READ_SIDE, kept, list(ONE_EACH))
    _follow(
        lambda stop: follow_read_side(settings, stop),
        lambda: projected.positions(engine, READ_SIDE, ends),
        ends,
        "rebuilding the read side",
    )
    after = _digests(engine, limits)
    now = projected.positions(engine, READ_SIDE, ends)
    moved = {place[0] for place, at in limits.items() if now.get(place, 0) != at}
    return [_compared(table, before[table], after[table], limits, moved) for table in before]


def _bounds(settings: Settings, topics: tuple[str, ...]) -> tuple[Offsets, Offsets]:
    spots = scanning.spots_of(settings, topics)
    with scanning.reader(settings) as looking:
        return scanning.ends(looking, spots), scanning.firsts(looking, spots)


def _digests(engine: Engine, limits: Offsets) -> dict[str, dropping.Digest]:
    topics = {**TABLES, **{table: followed[0] for table, followed in ONE_EACH.items()}}
    return {table: dropping.digest(engine, table, topic, limits) for table, topic in topics.items()}


def _compared(
    table: str, before: dropping.Digest, after: dropping.Digest, limits: Offsets, moved: Collection[str]
) -> Rebuilt:
    """Compare a table; one row of each says nothing of earlier ones once newer ones have come."""
    figures = (table, before.rows, after.rows, before.value, after.value)
    if not any(limits.values()):
        return Rebuilt(*figures, same=None, note="not compared: nothing was projected before")
    if found := [topic for topic in ONE_EACH.get(table, ()) if topic in moved]:
        return Rebuilt(
            *figures, same=None, note=f"not compared: {found[0]} moved, or was not projected whole"
        )
    return Rebuilt(*figures, same=before == after)


def _follow(
    follow: Callable[[threading.Event], None], positions: Callable[[], Offsets], ends: Offsets, what: str
) -> None:
    """Project until the positions have reached the ends, whoever of several projectors moves them.

    Raises:
        TryAgainError: they stand still.
        Exception: what ended the projector.
    """
    stop, failures = threading.Event(), list[BaseException]()
    thread = threading.Thread(target=_run, args=(follow, stop, failures), name=what, daemon=True)
    thread.start()
    try:
        _await(positions, ends, failures, what)
    finally:
        stop.set()
        thread.join(STALLED_SECONDS)


def _run(
    follow: Callable[[threading.Event], None], stop: threading.Event, failures: list[BaseException]
) -> None:
    try:
        follow(stop)
    except BaseException as error:  # noqa: BLE001  (handed to the thread that waits)
        failures.append(error)


def _await(positions: Callable[[], Offsets], ends: Offsets, failures: list[BaseException], what: str) -> None:
    total, reached, since = sum(ends.values()), -1, time.monotonic()
    while True:
        at = positions()
        done = sum(min(at.get(place, 0), end) for place, end in ends.items())
        tell(what, done, total)
        if done == total:
            return
        if done != reached:
            reached, since = done, time.monotonic()
        if failures:
            raise failures[0]
        if wait(LOOK_SECONDS) or time.monotonic() > since + STALLED_SECONDS:
            message = f"{what} stands at {done} of {total} offsets: look at the logs, then run it again"
            raise TryAgainError(message)


def rebuild_features(settings: Settings) -> list[Rebuilt]:
    """Do the same for the feature table on S3; its older versions stay readable.

    Compared are the rows that no later event has replaced.

    Raises:
        TryAgainError: broker or store away, or nothing moves any more.
    """
    table = FeatureTable(settings)
    ends, _ = _bounds(settings, (FEATURES,))
    limits = dict.fromkeys(ends, 0) | table.positions(ends)
    before = rows_of(table.frames())
    _clear(table, ends)
    _follow(
        lambda stop: follow_features(settings, stop),
        lambda: table.positions(ends),
        ends,
        "rebuilding the feature table",
    )
    verdict = compare(before, rows_of(table.frames()), limits)
    note = f"not compared: {verdict.moved} rows written meanwhile" if verdict.moved else ""
    (rows_before, was), (rows_after, now) = verdict.before, verdict.after
    same = verdict.before == verdict.after
    return [Rebuilt("feature table", rows_before, rows_after, was, now, same=same, note=note)]


def _clear(table: FeatureTable, places: Offsets) -> None:
    """Empty the table between two commits of a projector."""
    for attempt in range(CLEARINGS):
        try:
            return table.clear(places)
        except ReplanError:
            if attempt + 1 == CLEARINGS or wait(LOOK_SECONDS):
                raise
    return None
