"""What compute-features, recompute and a backfill publish of the same sessions, on a topic in memory."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

import pandas as pd
import pytest

from events.envelope import Event, Metadata, decode
from events.payloads import (
    DataIngested,
    DataRetracted,
    FeaturesComputed,
    OffsetRange,
    Payload,
    SliceCommitted,
)
from infra.errors import ReplanError, UsageError
from infra.kafka.blocks import Block
from infra.kafka.records import Outgoing, Place, Received, Run
from infra.kafka.work import Work
from infra.settings import Settings
from tasks.backfill_makers import FeatureMaker
from tasks.backfilling import Plan
from tasks.core.backfill import Request
from tasks.core.features import FEATURES, compute, to_payload_rows
from tasks.core.panel import Panel
from tasks.core.prices import session_to_parquet
from tasks.core.simulator import simulate
from tasks.features import compute_vectors
from tasks.recomputing import Aside, _publish_aside, computed_since, recompute_touched
from tasks.replaying import _require_repeatable
from tasks.scaling import here
from tasks.sessions import sessions
from tasks.throttle import Throttle
from tasks.vectors import announcement_of

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
LETTER = Outgoing("dead-letters", b"NEPSE", b"")
Market = list[tuple[date, pd.DataFrame]]


class Log:
    """Events of a topic in memory."""

    def __init__(self, *payloads: Payload) -> None:
        """One event an offset."""
        self.entries = [
            Received(
                Event(NOON, "ingest", payload, Metadata(f"id-{at}", f"id-{at}")),
                Place("raw-data", 0, at),
                None,
                b"",
            )
            for at, payload in enumerate(payloads)
        ]

    def refresh(self) -> int:
        """All is known."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """As a log of a topic does."""
        return [one for one in self.entries if start <= one.place.offset < end]


class Table:
    """The feature table in memory."""

    def __init__(self) -> None:
        """Empty."""
        self.rows: list[dict[str, Any]] = []
        self.opened = 0

    def features(self) -> list[str]:
        """All of today's."""
        return list(FEATURES)

    def read(self, columns: Sequence[str], since: date, until: date) -> tuple[pd.DataFrame, int]:
        """Rows of some sessions."""
        self.opened += 1
        frame = pd.DataFrame(self.rows, columns=list(columns)).assign()
        frame["date"] = pd.to_datetime(frame["date"])
        near = frame["date"].between(pd.Timestamp(since), pd.Timestamp(until))
        return frame[near], 0

    def store(self, vector: FeaturesComputed) -> None:
        """Keep a vector, the newest of its symbol and session."""
        told = vector.model_dump(exclude={"features"}) | vector.features
        key = (vector.symbol, vector.date)
        self.rows = [row for row in self.rows if (row["symbol"], row["date"]) != key] + [told]


class World:
    """The loop as far as these tasks look at it."""

    def __init__(self, events: Sequence[Payload], objects: dict[str, bytes]) -> None:
        """Hold raw-data, its objects, an empty ledger and an empty table."""
        self.settings, self.live, self.pool = Settings(), self, None
        self.raw_data, self.feature_table = Log(*events), Table()
        self._objects, self._kept = objects, {"blocks": Log()}
        self.store = self

    def get_many(self, locations: Sequence[str]) -> dict[str, bytes]:
        """Read objects."""
        return {location: self._objects[location] for location in locations}

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Keep something for this world."""
        return self._kept.setdefault(name, self._kept.get(name) or make())


@pytest.fixture(scope="module")
def market() -> Market:
    """Six sessions of eight symbols."""
    return [(session.date, session.rows) for session in simulate(6, 8, seed=2)]


def told(market: Market, order: Sequence[int], retracted: Sequence[int] = ()) -> World:
    """A world in which these sessions were announced in this order, then some retracted."""
    objects = {f"s3://raw/{day}": session_to_parquet(rows) for day, rows in market}
    events: list[Payload] = [
        DataIngested(symbol="NEPSE", date=market[n][0], data_location=f"s3://raw/{market[n][0]}")
        for n in order
    ]
    events += [
        DataRetracted(
            symbol="NEPSE", date=market[n][0], data_location=f"s3://raw/{market[n][0]}", reason="repeat"
        )
        for n in retracted
    ]
    return World(events, objects)


def batch(market: Market, numbers: Sequence[int]) -> dict[tuple[str, date], dict[str, float | None]]:
    """All features of these sessions, computed at once."""
    table = compute(Panel.from_sessions([market[n] for n in numbers]))
    return dict(zip(zip(table["symbol"], table["date"], strict=True), to_payload_rows(table), strict=True))


def recomputed(world: World, start: int, end: int) -> list[Event[Payload]]:
    """What recompute publishes of a slice."""
    span = OffsetRange(topic="raw-data", partition=0, start=start, end=end)
    work = Work(world.settings, Run("recompute", "run"), [span], lambda asked: ([], asked))
    recompute_touched.fn(cast("Any", world), work)
    return [decode(one.value or b"") for one in work.outgoing]


def newest(vectors: Sequence[FeaturesComputed]) -> dict[tuple[str, date], dict[str, float | None]]:
    """Features by symbol and session, of the highest revision."""
    ordered = sorted(vectors, key=lambda one: one.revision)
    return {(one.symbol, one.date): one.features for one in ordered}


def announced(world: World) -> list[FeaturesComputed]:
    """What compute-features publishes."""
    causes = [one for one in world.raw_data.entries if isinstance(one.payload, DataIngested)]
    found = compute_vectors.fn(cast("Any", world), causes)
    return [vector for _, vectors in found.computed for vector in vectors]


def test_a_late_session_changes_those_after_it(market: Market) -> None:
    """Together with what compute-features made, the newest vectors are those of one computation."""
    world = told(market, [0, 1, 3, 4, 5, 2])
    first, again = announced(world), recomputed(world, 5, 6)
    vectors = [cast("FeaturesComputed", event.payload) for event in again]
    assert {vector.date for vector in vectors} <= {day for day, _ in market[3:]}
    assert {vector.revision for vector in vectors} == {1}
    assert newest([*first, *vectors]) == batch(market, range(6))
    cause = again[0].metadata.causation
    assert cause is not None
    assert (cause.topic, cause.partition, cause.offset) == ("raw-data", 0, 5)
    assert len({event.id for event in again}) == len(again)


def test_a_session_that_is_taken_back_changes_those_after_it(market: Market) -> None:
    """Vectors of the session itself are not published any more."""
    world = told(market, range(6), retracted=[2])
    first, again = announced(world), recomputed(world, 6, 7)
    vectors = [cast("FeaturesComputed", event.payload) for event in again]
    left = batch(market, [0, 1, 3, 4, 5])
    found = newest([*first, *vectors])
    assert {key: found[key] for key in left} == left


class Kept:
    """Blocks in memory."""

    def __init__(self) -> None:
        """None yet."""
        self.blocks: list[tuple[Block, list[Outgoing]]] = []

    def publish(
        self, publisher: str, span: OffsetRange, records: Sequence[Outgoing], sessions: dict[date, int]
    ) -> int:
        """Keep a block."""
        self.blocks.append((Block(publisher, span.start, span.end, sessions), list(records)))
        return len(records)


def aside(world: World, start: int, end: int, kept: Kept) -> Work:
    """A slice of which everything was published aside, but a dead letter."""
    span = OffsetRange(topic="raw-data", partition=0, start=start, end=end)
    work = Work(world.settings, Run("recompute", "run"), [span], lambda asked: ([], asked))
    work.outgoing.append(LETTER)
    since = computed_since([block for block, _ in kept.blocks], span)
    _publish_aside(cast("Any", world), Aside(cast("Any", kept), Throttle(lambda: 0)), work, since)
    return work


@pytest.fixture
def one_session_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks as small as they get."""
    monkeypatch.setattr("tasks.core.backfill.SESSIONS_A_BLOCK", 1)


@pytest.mark.usefixtures("one_session_a_block")
def test_blocks_published_aside_leave_the_slice(market: Market) -> None:
    """The slice keeps its dead letters; what went aside is neither in it nor counted as its output."""
    world, kept = told(market, [0, 1, 3, 4, 5, 2]), Kept()
    work = aside(world, 5, 6, kept)
    assert work.outgoing == [LETTER]
    assert (work.counts["out"], work.counts["blocks"]) == (0, len(kept.blocks))
    records = [record.value for _, block in kept.blocks for record in block]
    alone = [decode(value or b"").id for value in records]
    assert alone == [event.id for event in recomputed(world, 5, 6)]
    assert [block.published for block, _ in kept.blocks] == [
        {day: len(records)} for (day, _), (_, records) in zip(market[3:], kept.blocks, strict=True)
    ]


@pytest.mark.usefixtures("one_session_a_block")
def test_history_that_comes_late_is_computed_once_for_all_its_slices(market: Market) -> None:
    """Each slice of it touches the same newer sessions; the first one computes them as of now."""
    world, kept = told(market, [4, 5, 0, 1, 2, 3]), Kept()
    aside(world, 2, 3, kept)
    first = len(kept.blocks)
    assert {day for block, _ in kept.blocks for day in block.published} == {day for day, _ in market[4:]}
    for start in (3, 4, 5):
        work = aside(world, start, start + 1, kept)
        assert (len(kept.blocks), work.outgoing) == (first, [LETTER])
    again = [decode(one.value or b"").payload for _, records in kept.blocks for one in records]
    vectors = [*announced(world), *(cast("FeaturesComputed", one) for one in again)]
    assert newest(vectors) == batch(market, range(6))


def test_sessions_in_their_order_change_nothing(market: Market) -> None:
    """The usual slice publishes nothing, and asks nobody."""
    assert recomputed(told(market, range(6)), 0, 6) == []


def test_a_backfill_publishes_what_is_missing_and_nothing_twice(market: Market) -> None:
    """As of now: also what a late session changed; then everything is there."""
    world = told(market, [0, 1, 3, 4, 5, 2])
    for vector in announced(world):
        world.feature_table.store(vector)
    days = [day for day, _ in market]
    for vector in [cast("FeaturesComputed", one) for one in _missing(world, days)]:
        world.feature_table.store(vector)
    names = ["symbol", "date", *FEATURES]
    rows = [dict(zip(names, (row[name] for name in names), strict=True)) for row in world.feature_table.rows]
    assert {(row.pop("symbol"), row.pop("date")): row for row in rows} == batch(market, range(6))
    assert _missing(world, days) == []
    assert len(_missing(world, days, force=True)) == len(batch(market, range(6)))
    some = _missing(world, days, force=True, symbols=(market[0][1]["symbol"][0],))
    assert len(some) <= len(days)


def begun(world: World, days: Sequence[date], request: Request) -> FeatureMaker:
    """What computes these sessions as of now."""
    loop = cast("Any", world)
    known = sessions(loop)
    known.refresh()
    maker = FeatureMaker(loop, known, request, here)
    maker.plan = Plan("backfill.x.0", world.raw_data.refresh(), [list(days)], 0)
    maker.begin(days)
    return maker


def _missing(
    world: World, days: Sequence[date], *, force: bool = False, symbols: tuple[str, ...] = ()
) -> list[Payload]:
    found = begun(world, days, Request(days[0], days[-1], symbols, force=force)).find(days)
    return [payload for one in found.values() for payload, _ in one.missing]


def test_a_session_that_is_not_held_has_no_announcement(market: Market) -> None:
    """Whoever plans with older knowledge has to plan again."""
    world = told(market, [0], retracted=[0])
    known = sessions(cast("Any", world))
    known.refresh()
    assert announcement_of(cast("Any", world), known, 0, market[0][0]).place.offset == 0
    with pytest.raises(ReplanError, match="is not held"):
        announcement_of(cast("Any", world), known, 1, market[0][0])


def test_a_slice_that_published_blocks_aside_is_not_replayed() -> None:
    """Its outputs lie elsewhere: a dry backfill compares instead."""
    span = OffsetRange(topic="raw-data", partition=0, start=0, end=9)
    entry = SliceCommitted(
        flow="recompute", group="recompute", ranges=[span], run_id="r", counts={"blocks": 3}
    )
    with pytest.raises(UsageError, match="3 blocks aside: 'nepse backfill --dry-run'"):
        _require_repeatable(entry)


def test_the_table_is_opened_once_for_sessions_that_are_computed_together(market: Market) -> None:
    """However many blocks they are published in; what is stored of each is compared all the same."""
    world, days = told(market, range(6)), [day for day, _ in market]
    vectors = announced(world)
    for vector in [one for one in vectors if one.date != days[3]]:
        world.feature_table.store(vector)
    maker = begun(world, days, Request(days[0], days[-1]))
    found = [maker.find([day])[day] for day in days]
    assert world.feature_table.opened == 1
    there = [one.date for one in vectors]
    assert [one.computed for one in found] == [there.count(day) for day in days]
    assert [len(one.missing) for one in found] == [there.count(d) if d == days[3] else 0 for d in days]
