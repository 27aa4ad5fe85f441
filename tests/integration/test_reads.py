"""The queries of the read side on a real Postgres: what holds in the end, page by page."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from events.payloads import (
    ActualAvailable,
    OffsetRange,
    PredictionMade,
    SliceCommitted,
)
from infra.database import connection, tables
from infra.database.lookups import Lookups
from infra.database.reads import market, models, newest, pipeline, progress, skill
from infra.database.reads.newest import Cut
from infra.errors import TryAgainError
from infra.kafka.records import Place
from infra.settings import Settings
from tasks.projections import READ_SIDE
from tests.api_rows import (
    ANSWERS,
    NOW,
    closed,
    committed,
    erred,
    letter,
    predicted,
    raised,
    trained,
    vector,
)
from tests.reading_side import ReadSide, read_side
from tests.web_client import Reader
from web.app import API, create_app
from web.overview import TABLES

pytestmark = pytest.mark.stack

FIRST = date(2024, 3, 3)
DAYS = [FIRST + timedelta(n) for n in range(6)]
ALL = (date.min, date.max)


@pytest.fixture
def side(servers: Settings) -> Iterator[ReadSide]:
    """An empty read side."""
    with read_side(servers) as made:
        yield made


def foreign(symbol: str) -> PredictionMade:
    """A prediction that does not tell what it was made from."""
    return PredictionMade(symbol=symbol, date=DAYS[1], predicted_close=1.0, model_version="v1")


def closes(page: newest.Page) -> list[tuple[str, date, float]]:
    """What a page of predictions tells."""
    return [(row["symbol"], row["date"], row["predicted_close"]) for row in page.rows]


def test_only_the_newest_revision_holds_unless_it_was_taken_back(side: ReadSide) -> None:
    """In whichever partition it lies; a prediction from another session is another one."""
    side.tell("predictions", predicted("NABIL", FIRST, 510.0), predicted("NICA", FIRST, 600.0))
    side.tell("predictions", predicted("NABIL", FIRST, 515.0, revision=1), partition=1)
    side.tell("predictions", predicted("NICA", FIRST, 600.0, revision=1, retracted=True))
    side.tell("predictions", predicted("NABIL", FIRST - timedelta(1), 490.0, date=DAYS[1]))
    page = newest.of_session(side.engine, tables.predictions, DAYS[1], Cut(None, 10))
    assert closes(page) == [("NABIL", DAYS[1], 490.0), ("NABIL", DAYS[1], 515.0)]
    assert page.next is None


def test_lists_are_cut_by_key(side: ReadSide) -> None:
    """A row that comes while a reader turns the page neither hides nor repeats another."""
    side.tell("predictions", *(predicted("NABIL", day, 500.0 + n) for n, day in enumerate(DAYS)))
    read, table = side.engine, tables.predictions
    first = newest.of_symbol(read, table, "NABIL", ALL, Cut(None, 2))
    side.tell("predictions", predicted("NABIL", DAYS[-1] + timedelta(1), 600.0))
    rest = newest.of_symbol(read, table, "NABIL", ALL, Cut(first.next, 10))
    assert [row["predicted_close"] for row in (*first.rows, *rest.rows)] == [505, 504, 503, 502, 501, 500]
    span = newest.of_symbol(read, table, "NABIL", (DAYS[1], DAYS[2]), Cut(None, 10))
    assert [row["date"] for row in span.rows] == [DAYS[2], DAYS[1]]


def test_a_sessions_symbols_are_cut_by_name(side: ReadSide) -> None:
    """Every symbol once, in the order of names."""
    side.tell("actuals", *(ActualAvailable(symbol=s, date=FIRST, actual_close=1.0) for s in "DBCA"))
    read, found, after = side.engine, list[str](), None
    for _ in range(3):
        page = newest.of_session(read, tables.actuals, FIRST, Cut(after, 2))
        found += [row["symbol"] for row in page.rows]
        after = page.next
    assert found[:4] == ["A", "B", "C", "D"]


def test_a_session_that_was_taken_back_whole_is_not_the_newest(side: ReadSide) -> None:
    """Nor is there one in an empty table."""
    assert newest.newest_session(side.engine, tables.predictions, date.max) is None
    side.tell("predictions", predicted("NABIL", DAYS[0], 1.0), predicted("NABIL", DAYS[1], 1.0))
    side.tell("predictions", predicted("NABIL", DAYS[1], 1.0, revision=1, retracted=True))
    assert newest.newest_session(side.engine, tables.predictions, date.max) == DAYS[1]


def test_a_session_far_ahead_is_not_the_newest(side: ReadSide) -> None:
    """Whatever a foreign event is dated: the start page is about the next session."""
    ahead = predicted("NICA", date(2030, 1, 1), 1.0, date=date(2030, 1, 2))
    side.tell("predictions", predicted("NABIL", DAYS[0], 1.0), ahead)
    assert newest.newest_session(side.engine, tables.predictions, DAYS[5]) == DAYS[1]
    assert newest.newest_session(side.engine, tables.predictions, date(2030, 1, 2)) == date(2030, 1, 2)


def test_an_event_without_a_session_that_it_was_made_from_is_found_as_well(side: ReadSide) -> None:
    """As foreign producers write it."""
    side.tell("predictions", *(foreign(s) for s in ("A", "B", "C")))
    first = newest.of_session(side.engine, tables.predictions, DAYS[1], Cut(None, 2))
    rest = newest.of_session(side.engine, tables.predictions, DAYS[1], Cut(first.next, 2))
    assert [row["symbol"] for row in (*first.rows, *rest.rows)] == ["A", "B", "C"]


def test_errors_are_summed_as_they_hold_by_session_and_version(side: ReadSide) -> None:
    """Pairs that persistence was not judged on are left out of both sums, not of the coverage."""
    day = DAYS[1]
    side.tell("errors", erred("A", day, 3.0, within_95=True), erred("B", day, -4.0, within_95=False))
    side.tell("errors", erred("B", day, -1.0, revision=1, within_95=True), partition=1)
    side.tell("errors", erred("C", day, 9.0), erred("C", day, 9.0, revision=1, retracted=True))
    side.tell("errors", erred("D", day, 7.0, baseline_error=None, within_95=False))
    side.tell("errors", erred("E", day, 5.0, model_version="v0"), erred("A", DAYS[2], 1.0))
    found = skill.daily(side.engine, [day])
    assert found == {
        (day, "v1"): (2, 10.0, 4.0, 40.0, 8.0, 3, 2),
        (day, "v0"): (1, 25.0, 5.0, 100.0, 10.0, 0, 0),
    }
    assert skill.days(side.engine) == [DAYS[2], day]
    assert skill.by_symbol(side.engine, 1) == {"A": (1, 1.0, 1.0, 4.0, 2.0, 0, 0)}
    assert set(skill.by_symbol(side.engine, 2)) == {"A", "B", "D", "E"}
    assert skill.daily(side.engine, []) == {}


def test_sessions_with_new_errors_are_named(side: ReadSide) -> None:
    """By partition, from an offset on."""
    side.tell("errors", erred("A", DAYS[1], 3.0), erred("A", DAYS[2], 3.0))
    side.tell("errors", erred("B", DAYS[3], 3.0), partition=2)
    assert skill.changed(side.engine, {0: 1}) == [DAYS[2]]
    assert set(skill.changed(side.engine, {0: 2, 2: 0})) == {DAYS[3]}


def test_sessions_with_new_errors_are_found_without_reading_the_others(side: ReadSide) -> None:
    """However many there are: it is asked after each event."""
    columns = "partition, event_id, timestamp, producer, symbol, date, predicted, actual, error, abs_error"
    values = "number, now(), 'p', 'A', DATE '2024-01-01' + number / 300, 1, 1, 0, 0"
    with side.writer.begin() as open_:
        open_.execute(
            text(
                f"""INSERT INTO errors ("offset", {columns}, revision)
                SELECT number, 0, {values}, 0 FROM generate_series(0, 29999) AS number"""  # noqa: S608
            )
        )
        open_.execute(text("ANALYZE errors"))
        asked = {"numbers": [0, 1], "offsets": [29_999, 0]}
        plan = "\n".join(open_.execute(text(f"EXPLAIN {skill._CHANGED}"), asked).scalars())
    assert skill.changed(side.engine, {0: 29_999, 1: 0}) == [date(2024, 4, 9)]
    assert "errors_pkey" in plan
    assert "Seq Scan" not in plan


def test_the_ledger_is_found_by_what_slices_read_and_made(side: ReadSide) -> None:
    """The slice of a record, at both ends of its range; and each flow's newest."""
    side.tell("slices", committed(0, 5, 100), committed(5, 9, 105), committed(9, 20, 109))
    look = Lookups(side.engine)
    slices = [look.slice_of("predict", [Place("features", 1, at)]) for at in (0, 4, 5, 19, 20)]
    assert slices == [*(Place("slices", 0, n) for n in (0, 0, 1, 2)), None]
    assert look.made_by("predict", Place("predictions", 1, 106)) == Place("slices", 0, 1)
    assert look.made_by("monitor", Place("predictions", 1, 106)) is None
    spots = [("predict", "features", 1), ("predict", "features", 0)]
    found = pipeline.newest_slices(side.engine, spots)
    assert {spot: (one.end, one.run_id) for spot, one in found.items()} == {spots[0]: (20, "r9")}


def test_what_waits_and_how_long_a_slice_took_is_found(side: ReadSide) -> None:
    """The oldest event behind the newest slice, and the oldest within it; of features what is still held."""
    side.tell("predictions", *(predicted("A", day, 1.0) for day in DAYS[:4]))
    side.tell("features", vector("NABIL", FIRST), partition=1)
    empty = OffsetRange(topic="actuals", partition=0, start=0, end=0)
    ranges = [OffsetRange(topic="predictions", partition=0, start=0, end=3), empty]
    entry = SliceCommitted(flow="join-errors", group="g", ranges=ranges, run_id="r", model_versions=["v7"])
    side.tell("slices", entry)
    spots = [
        ("join-errors", "predictions", 0),
        ("join-errors", "actuals", 0),
        ("predict", "features", 1),
        ("predict", "features", 0),
    ]
    commits = pipeline.newest_slices(side.engine, spots)
    joined, closes = commits[spots[0]], commits[spots[1]]
    assert (joined.end, joined.models, joined.began, joined.stopped, joined.worked_at) == (
        3,
        ["v7"],
        0,
        3,
        joined.at,
    )
    assert (closes.end, closes.began, closes.worked_at) == (0, None, None)
    found = pipeline.moments(side.engine, commits, spots, TABLES)
    quiet = pipeline.Moments(None, None)
    assert found == [pipeline.Moments(NOW, NOW), quiet, pipeline.Moments(NOW, None), quiet]
    assert pipeline.last_events(side.engine, TABLES) == dict.fromkeys(
        ("predictions", "features", "slices"), NOW
    )


def test_readers_can_not_write_and_do_not_wait(side: ReadSide) -> None:
    """The database itself refuses, and ends what takes too long."""
    with pytest.raises(Exception, match="read-only transaction"), connection.reading(side.engine) as open_:
        open_.execute(text("DELETE FROM positions"))
    with pytest.raises(TryAgainError, match="statement timeout"), connection.reading(side.engine) as open_:
        open_.execute(text("SELECT pg_sleep(20)"))


def test_tables_that_are_not_there_yet_ask_for_patience(side: ReadSide) -> None:
    """Whoever only reads makes none."""
    with side.writer.begin() as open_:
        open_.execute(text("DROP TABLE positions"))
    with pytest.raises(TryAgainError, match="a projector makes it"):
        progress.positions(side.engine, READ_SIDE)


@pytest.mark.parametrize(("path", "shape"), ANSWERS)
def test_rows_of_a_real_database_have_the_declared_shapes(
    servers: Settings, side: ReadSide, path: str, shape: Any
) -> None:
    """With something in each list."""
    side.tell("predictions", predicted("NABIL", FIRST, 510.0, interval_80=(500.0, 520.0)))
    side.tell("actuals", closed("NABIL", DAYS[1], 505.0))
    side.tell("errors", erred("NABIL", DAYS[1], 5.0))
    side.tell("features", vector("NABIL", FIRST))
    side.tell("models", trained())
    side.tell("alerts", raised("a1"))
    side.tell("slices", committed(0, 5, 100))
    side.project(iter([letter(0)]))
    with Reader(create_app(servers, side.engine)) as reader:
        answer = reader.get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    told = shape.model_validate_json(answer.content).model_dump(mode="json")
    assert told.get("items", ["something"])


def test_what_is_said_of_versions_comes_in_its_order(side: ReadSide) -> None:
    """With payloads as they are."""
    for version in ("v1", "v2"):
        side.tell("models", trained(version))
    assert [row["payload"]["model_version"] for row in models.told(side.engine)] == ["v1", "v2"]


def test_symbols_and_sessions_are_listed_in_pages(side: ReadSide) -> None:
    """Symbols by name, sessions from the newest on."""
    side.tell("features", *(vector(s, FIRST) for s in "CAB"))
    side.tell("predictions", *(predicted("A", day, 1.0) for day in DAYS))
    assert [row["symbol"] for row in market.symbols(side.engine, "A", 1)] == ["B"]
    assert market.sessions(side.engine, DAYS[3], 2) == [DAYS[2], DAYS[1]]
