"""A lineage's parts: what is told of an event, which error belongs to a prediction, what is unknown."""

import io
from datetime import UTC, date, datetime
from typing import Any

from rich.console import Console

from events.envelope import Event, Metadata, derive_id
from events.payloads import ErrorComputed, PredictionExpired, PredictionMade
from infra.cli import lineage as command
from infra.cli import main
from tasks.core import lineage

DAY = date(2024, 3, 4)


def said(payload: Any, name: str) -> Event[Any]:
    """An event."""
    return Event(datetime(2024, 3, 4, 9, tzinfo=UTC), "predict", payload, Metadata(name, name))


PREDICTION = said(PredictionMade(symbol="NABIL", date=DAY, predicted_close=1, model_version="v2"), "p")


def test_an_event_is_told_with_its_place() -> None:
    """Facts that are there, the time in UTC."""
    node = lineage.node(PREDICTION, "predictions-1@12")
    assert (node["event"], node["place"], node["event_id"]) == ("PredictionMade", "predictions-1@12", "p")
    assert node["timestamp"] == "2024-03-04T09:00:00.000+00:00"
    assert node["facts"]["model_version"] == "v2"
    assert "as_of" not in node["facts"]


def test_an_error_belongs_to_the_prediction_that_its_id_names() -> None:
    """Not to another prediction, nor with another revision."""
    payload = ErrorComputed(symbol="NABIL", date=DAY, predicted=1, actual=1, error=0, abs_error=0, revision=2)
    error = said(payload, derive_id("join-errors", "a", "p", 2))
    assert lineage.is_error_of(error, PREDICTION, "a")
    assert not lineage.is_error_of(error, PREDICTION, "b")
    assert not lineage.is_error_of(said(payload, derive_id("join-errors", "a", "p", 0)), PREDICTION, "a")


def test_versions_have_a_page_and_persistence_has_none() -> None:
    """The page in MLflow; a foreign name has none either."""
    page = "http://h/#/models/nepse-close/versions/3"
    assert lineage.model_url("http://h", "nepse-close", "v3") == page
    assert lineage.model_url("http://h", "nepse-close", "v0") is None
    assert lineage.model_url("http://h", "nepse-close", "champion") is None


def test_what_is_unknown_is_explained() -> None:
    """Names that look alike, whatever their case; or that there is nothing at all."""
    known = ["NABIL", "NICAD 85/86", "UPPER"]
    assert lineage.unknown_symbol("nabl", known) == "no symbol 'nabl': did you mean NABIL?"
    assert lineage.unknown_symbol("QQQQ", known).endswith("known are 3, such as NABIL")
    assert "ingest prices first" in lineage.unknown_symbol("NABIL", [])
    told = lineage.unknown_date("NABIL", DAY, [date(2024, 3, 3)])
    assert told == "nothing is known of NABIL on 2024-03-04; the nearest dates are 2024-03-03"


def test_the_read_side_lags_by_topic() -> None:
    """Partitions are added up; a topic that is whole is not named, nor one that is ahead."""
    ends = {("errors", 0): 5, ("errors", 1): 7, ("alerts", 0): 3, ("models", 0): 1}
    at = {("errors", 0): 4, ("alerts", 0): 3, ("models", 0): 2}
    assert lineage.behind(at, ends) == {"errors": 8}


def test_a_tree_shows_foreign_text_harmless() -> None:
    """Markup and control characters of a payload are shown, not obeyed; a missing event is told."""
    gone = {"event": None, "place": "features-0@1", "note": "no event lies there"}
    evil = lineage.node(PREDICTION, "predictions-1@12") | {"from": gone, "producer": "[red]\x1b[31m"}
    empty: dict[str, Any] = {"announced": [], "closes": [], "dead_letters": []}
    tree = command._tree({"symbol": "NABIL", "session": "2024-03-04", **empty, "predictions": [evil]})
    console = Console(width=500, file=io.StringIO())
    with console.capture() as shown:
        console.print(tree)
    assert "by [red]\\x1b[31m" in shown.get()
    assert "from features-0@1: no event lies there" in shown.get()


def test_an_expired_prediction_has_an_end_in_the_tree() -> None:
    """What became of it, and the run in which that became certain."""
    ended = PredictionExpired(symbol="NABIL", date=DAY, predicted=1, sessions_waited=10)
    told = lineage.node(said(ended, lineage.expiry_id("p")), "errors-1@7")
    told["slice"] = {"place": "slices-0@3", "ranges": ["actuals-1 [4, 9)"], "run_id": "r", "run": "http://r"}
    made = lineage.node(PREDICTION, "predictions-1@12") | {"errors": [], "expired": [told]}
    empty: dict[str, Any] = {"announced": [], "closes": [], "dead_letters": []}
    tree = command._tree({"symbol": "NABIL", "session": "2024-03-04", **empty, "predictions": [made]})
    console = Console(width=500, file=io.StringIO())
    with console.capture() as shown:
        console.print(tree)
    assert "became PredictionExpired errors-1@7" in shown.get()
    assert "sessions_waited 10" in shown.get()
    assert "slice actuals-1 [4, 9) (slices-0@3), run http://r" in shown.get()


def test_a_date_that_is_none_is_wrong_usage() -> None:
    """Exit code 2 before any server is asked."""
    assert main.run(["lineage", "NABIL", "yesterday"]) == 2
