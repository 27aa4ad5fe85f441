"""How alerts and dead letters stand, on a real Postgres: kept with their events, and read again from them."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from events.payloads import AlertAcknowledged, AlertResolved, LetterResolved, LetterRetried
from infra.database import alerts_standing, dropping, letters_standing, older_shapes, tables
from infra.database.reads import alerts, letters
from infra.settings import Settings
from tasks.projections import READ_SIDE
from tasks.rebuilding import ONE_EACH
from tests.api_rows import ALERT, LETTER, letter, raised
from tests.reading_side import ReadSide, Record, event, read_side

pytestmark = pytest.mark.stack


@pytest.fixture
def side(servers: Settings) -> Iterator[ReadSide]:
    """An empty read side."""
    with read_side(servers) as made:
        yield made


def standing(side: ReadSide, **wanted: Any) -> dict[str, tuple[str, int]]:
    """State and number of raises of the alerts that are found."""
    found = alerts.listed(side.engine, before=2**62, limit=100, **wanted)
    return {row["alert_id"]: (row["state"], row["times"]) for row in found}


def test_an_alert_lives_until_it_is_resolved_and_again_after_a_new_raise(side: ReadSide) -> None:
    """An acknowledgement holds over repeats, and ends with what it was about."""
    side.tell("alerts", raised("a"), raised("b"), raised("a"))
    assert standing(side) == {"a": ("open", 2), "b": ("open", 1)}
    side.tell("alerts", AlertAcknowledged(rule="absolute_error", alert_id="a", by="ram", note="on it"))
    side.tell("alerts", raised("a"))
    assert standing(side, state="acknowledged") == {"a": ("acknowledged", 3)}
    found = alerts.one(side.engine, "a")
    assert found is not None
    assert (found["acknowledged_by"], found["note"], found["labels"]) == ("ram", "on it", {})
    side.tell("alerts", AlertResolved(rule="absolute_error", alert_id="a", message="over"))
    assert standing(side)["a"] == ("resolved", 3)
    side.tell("alerts", raised("a"))
    assert standing(side)["a"] == ("open", 4)
    assert alerts.counts(side.engine) == {"open": 2, "acknowledged": 0, "resolved": 0}


def test_who_looks_after_an_alert_does_so_until_it_is_graver(side: ReadSide) -> None:
    """Than it was when he said so; then it is open again, and he who says so next looks after it."""
    answered = AlertAcknowledged(rule="absolute_error", alert_id="a", by="ram")
    side.tell("alerts", raised("a", severity="info"), answered, raised("a", severity="info"))
    assert standing(side)["a"] == ("acknowledged", 2)
    side.tell("alerts", raised("a"))
    assert standing(side)["a"] == ("open", 3)
    found = alerts.one(side.engine, "a")
    assert found is not None
    assert (found["acknowledged_by"], found["note"], found["severity"]) == (None, None, "warning")
    assert alerts.counts(side.engine) == {"open": 1, "acknowledged": 0, "resolved": 0}
    side.tell("alerts", raised("a", severity="info"))
    assert standing(side)["a"] == ("open", 4)
    side.tell("alerts", raised("a"), answered, raised("a", severity="a foreign word"))
    assert standing(side)["a"] == ("acknowledged", 6)
    side.tell("alerts", raised("a", severity="critical"))
    assert standing(side)["a"] == ("open", 7)


def test_who_answers_behind_the_end_looks_after_nothing_that_comes(side: ReadSide) -> None:
    """It was over by then: what is raised since is open, however grave, until somebody answers that."""
    answered = AlertAcknowledged(rule="absolute_error", alert_id="a", by="ram")
    over = AlertResolved(rule="absolute_error", alert_id="a", message="over")
    side.tell("alerts", raised("a", severity="critical"), over, answered)
    assert standing(side)["a"] == ("resolved", 1)
    side.tell("alerts", raised("a", severity="info"))
    assert standing(side)["a"] == ("open", 2)
    side.tell("alerts", answered, raised("a", severity="info"))
    assert standing(side)["a"] == ("acknowledged", 3)


def test_how_alerts_stand_is_read_again_where_an_older_version_knew_less(side: ReadSide) -> None:
    """Its table gives way to ours, which is filled from the alerts."""
    answered = AlertAcknowledged(rule="absolute_error", alert_id="a", by="ram")
    side.tell("alerts", raised("a"), answered, raised("a", severity="critical"), raised("b"))
    expected = _standing_rows(side)
    with side.writer.begin() as open_:
        open_.execute(text("ALTER TABLE alerts_standing DROP COLUMN graver CASCADE"))
        open_.execute(text("ALTER TABLE alerts_standing ADD state text NOT NULL DEFAULT 'open'"))
        older_shapes.widen(open_)
        tables.metadata.create_all(open_)
        alerts_standing.fill(open_)
    assert _standing_rows(side) == expected


def test_an_alert_stands_as_its_events_say_however_they_came_in_batches(
    servers: Settings, side: ReadSide
) -> None:
    """One by one, all together, or read again from the alerts that are there."""
    answered = AlertAcknowledged(rule="absolute_error", alert_id="a", by="ram")
    over = [AlertResolved(rule="absolute_error", alert_id=name, message="over") for name in "ab"]
    story = [raised("a"), over[1], raised("b", severity="critical"), answered, raised(None), raised("a")]
    story += [over[0], raised("a", symbol="NICA", historic=True), over[1], raised("b"), raised("a")]
    story += [answered, raised("a", severity="critical"), raised("a"), over[0], answered, raised("a")]
    for one in story:
        side.tell("alerts", one)
    with read_side(servers) as other:
        other.tell("alerts", *story)
        expected = _standing_rows(other)
    assert len(expected) == 3
    assert _standing_rows(side) == expected
    with side.writer.begin() as open_:
        open_.execute(text("TRUNCATE alerts_standing"))
        alerts_standing.fill(open_)
        alerts_standing.fill(open_)
    assert _standing_rows(side) == expected


def _standing_rows(side: ReadSide) -> list[tuple[Any, ...]]:
    """All that is kept of each alert; of one without an id its name is another in each database."""
    query = "SELECT * FROM alerts_standing ORDER BY raised"
    with side.writer.begin() as open_:
        rows = [tuple(row) for row in open_.execute(text(query))]
    return [(name if len(name) == 1 else "its own", *rest) for name, *rest in rows]


def test_an_alert_that_is_projected_again_counts_once(side: ReadSide) -> None:
    """A repeat of an event lies behind it, and is left out."""
    again = [Record("alerts", 0, offset, written) for written in [event(raised("a"))] for offset in (0, 1)]
    side.project(iter(again[:1]))
    side.project(iter(again[1:]))
    assert standing(side) == {"a": ("open", 1)}


def test_alerts_are_listed_page_by_page_whatever_else_is_asked(side: ReadSide) -> None:
    """By severity, too; one that was only ever resolved is none."""
    side.tell("alerts", *(raised(f"a{n}", severity="critical" if n % 2 else "info") for n in range(6)))
    side.tell("alerts", AlertResolved(rule="absolute_error", alert_id="never", message="over"))
    found, before = list[str](), 2**62
    for _ in range(3):
        page = alerts.listed(side.engine, before=before, limit=1, severity="critical")
        found += [row["alert_id"] for row in page]
        before = page[-1]["raised_offset"]
    assert found == ["a5", "a3", "a1"]
    assert alerts.one(side.engine, "never") is None
    assert alerts.counts(side.engine)["open"] == 6


def test_what_stands_in_for_the_queries_has_their_columns(side: ReadSide) -> None:
    """Tests without a database tell the same of alerts and letters as those with one."""
    side.tell("alerts", raised("a1"))
    side.project(iter([letter(0)]))
    (alert,) = alerts.listed(side.engine, before=9, limit=1)
    (line,) = letters.listed(side.engine, before=9, limit=1)
    assert alert.keys() == ALERT.keys()
    assert line.keys() == LETTER.keys()


def test_alerts_are_found_by_rule_and_symbol_and_history_when_asked(side: ReadSide) -> None:
    """One that has no id stands for itself."""
    side.tell("alerts", raised(None, symbol="NABIL"), raised("h", historic=True), raised("r", rule="lag"))
    (single,) = standing(side, symbol="NABIL")
    assert alerts.one(side.engine, single) is not None
    assert "h" not in standing(side)
    assert "h" in standing(side, historic=True)
    assert standing(side, rule="lag") == {"r": ("open", 1)}
    assert alerts.one(side.engine, "nobody's") is None
    (older, _) = alerts.listed(side.engine, before=2, limit=9, historic=True)
    assert older["alert_id"] == "h"


def test_a_letter_has_its_story(side: ReadSide) -> None:
    """Attempts and the last reason, until it is resolved."""
    side.project(iter([letter(0), letter(1), letter(2, "monitor")]))
    retried = [LetterRetried(letter_id="l0", attempt=n, reason=f"again {n}") for n in (2, 3)]
    side.tell("redrives", *retried, LetterResolved(letter_id="l1", attempt=2))
    found = letters.listed(side.engine, before=2**62, limit=9, resolved=False)
    assert [(row["letter_id"], row["attempts"], row["reason"]) for row in found] == [
        ("l2", 1, "first"),
        ("l0", 3, "again 3"),
    ]
    assert letters.still_open(side.engine) == {"monitor": 1, "predict": 1}
    assert [row["letter_id"] for row in letters.listed(side.engine, before=2, limit=1, flow="predict")] == [
        "l1"
    ]
    whole = letters.one(side.engine, "l1")
    assert whole is not None
    assert (whole["value"], whole["key"], whole["resolved"]) == (b"\x00raw", b"k", True)
    assert letters.one(side.engine, "l9") is None


def test_letters_stand_the_same_however_they_and_their_redrives_came(
    servers: Settings, side: ReadSide
) -> None:
    """A redrive may be projected before its letter; what is there can be read again."""
    story = [
        LetterRetried(letter_id="l0", attempt=2, reason="again"),
        LetterResolved(letter_id="l1", attempt=2),
    ]
    side.tell("redrives", *story)
    assert letters.still_open(side.engine) == {}
    side.project(iter([letter(0), letter(1), letter(2)]))
    expected = _letters(side)
    assert [(name, resolved) for name, *_, resolved in expected] == [
        ("l0", False),
        ("l1", True),
        ("l2", False),
    ]
    with read_side(servers) as other:
        other.project(iter([letter(0)]))
        other.project(iter([letter(1), letter(2)]))
        for one in story:
            other.tell("redrives", one)
        assert _letters(other) == expected
    with side.writer.begin() as open_:
        open_.execute(text("DELETE FROM letters_standing WHERE letter_id = 'l0'"))
        open_.execute(text("UPDATE letters_standing SET resolved = false"))
        letters_standing.fill(open_)
    assert _letters(side) == expected


def test_letters_stand_the_same_once_the_read_side_was_made_anew(side: ReadSide) -> None:
    """From what the topics hold, and from a letter that they hold no more."""

    def tell(first: int) -> None:
        side.project(letter(offset) for offset in range(first, 3))
        side.tell(
            "redrives", LetterResolved(letter_id="l0", attempt=2), LetterResolved(letter_id="l2", attempt=2)
        )

    tell(0)
    ends, table = dict(side.ends), (side.writer, "letters_standing", "dead-letters")
    before = dropping.digest(*table, ends)
    firsts = {("dead-letters", 0): 1, ("redrives", 0): 0}
    kept = {"dead_letters": ("dead-letters", firsts), "redrives": ("redrives", firsts)}
    dropping.drop(side.writer, READ_SIDE, kept, list(ONE_EACH))
    assert _letters(side) == [("l0", 0, 0, "predict", False)]
    side.ends.clear()
    tell(1)
    assert dropping.digest(*table, ends) == before
    assert before.rows == 3


def _letters(side: ReadSide) -> list[tuple[Any, ...]]:
    with side.writer.begin() as open_:
        return [tuple(row) for row in open_.execute(text('SELECT * FROM letters_standing ORDER BY "offset"'))]


def test_open_letters_are_found_without_reading_those_that_went_through(side: ReadSide) -> None:
    """However many there are: by their state, page by page."""
    side.project(letter(offset) for offset in range(3_000))
    side.tell("redrives", *(LetterResolved(letter_id=f"l{at}", attempt=2) for at in range(5, 3_000)))
    with side.writer.begin() as open_:
        open_.execute(text("ANALYZE letters_standing"))
        query = letters._page(before=2**62, limit=3, resolved=False, flow=None)
        written = query.compile(open_, compile_kwargs={"literal_binds": True})
        plan = "\n".join(open_.execute(text(f"EXPLAIN {written}")).scalars())
    assert "letters_standing_resolved" in plan
    assert letters.still_open(side.engine) == {"predict": 5}
    first = letters.listed(side.engine, before=2**62, limit=3, resolved=False)
    rest = letters.listed(side.engine, before=first[-1]["offset"], limit=3, resolved=False)
    assert [row["letter_id"] for row in (*first, *rest)] == ["l4", "l3", "l2", "l1", "l0"]
    through = letters.listed(side.engine, before=2**62, limit=1, resolved=True, flow="predict")
    assert [(row["letter_id"], row["resolved"]) for row in through] == [("l2999", True)]
