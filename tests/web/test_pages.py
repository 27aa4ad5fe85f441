"""Market, Symbol and Model show what the API tells, and say what to do where it tells nothing."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from infra.errors import TryAgainError
from tests.web.canned import SYMBOLS, Canned
from tests.web.conftest import Watch
from tests.web.reading import column, main_text, shown
from web.routes import operations

DASH = "\u2013"
LINEAGE: dict[str, Any] = {
    "symbol": "NABIL",
    "session": "2024-03-04",
    "announced": [],
    "closes": [],
    "dead_letters": [],
    "read_side_behind": {},
    "predictions": [
        {
            "event": "PredictionMade",
            "place": "predictions-1@12",
            "timestamp": "2024-03-03T09:20:00.000+00:00",
            "producer": "predict",
            "facts": {"predicted_close": 510.0},
            "slice": {"place": "slices-0@7", "run": "http://127.0.0.1:4200/runs/flow-run/r"},
            "model": {"version": "v3", "mlflow": "javascript:alert(1)", "events": []},
            "errors": [{"event": "ErrorComputed", "place": "errors-1@4", "facts": {"error": 5.0}}],
            "expired": [],
            "from": {
                "event": "FeaturesComputed",
                "place": "features-1@9",
                "facts": {},
                "from": {
                    "event": "DataIngested",
                    "place": "raw-data-0@3",
                    "facts": {"data_location": "s3://raw/2024-03-03.csv"},
                },
            },
        }
    ],
}


def test_the_market_is_sorted_by_the_expected_move(tab: Page, canned: Canned) -> None:
    """Of the newest session, the most hopeful first; the heading turns the order around."""
    shown(tab, "/")
    today = [row for row in canned.predictions if row["date"] == canned.next_day]
    today.sort(key=lambda row: row["predicted_close"] / row["last_close"], reverse=True)
    table = tab.locator("table")
    assert column(table, 0) == [row["symbol"] for row in today]
    best = today[0]
    assert column(table, 2)[0] == f"{best['predicted_close']:,.2f}"
    assert column(table, 5)[0] == f"{best['low_80']:,.2f} {DASH} {best['high_80']:,.2f}"
    heading = tab.get_by_role("columnheader", name="Expected move")
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(table, 0) == [row["symbol"] for row in reversed(today)]


def test_the_market_is_filtered(tab: Page, canned: Canned) -> None:
    """By name and by direction; where nothing fits, it says so."""
    shown(tab, "/")
    table, field = tab.locator("table"), tab.get_by_label("Symbol", exact=True)
    field.fill("nic")
    assert set(column(table, 0)) == {"NICA", "NICAD85/86"}
    expect(tab.get_by_text(f"2 of {len(SYMBOLS)} rows")).to_be_visible()
    field.fill("")
    tab.get_by_label("Direction").select_option("down")
    today = [row for row in canned.predictions if row["date"] == canned.next_day]
    falling = {row["symbol"] for row in today if row["predicted_close"] < row["last_close"]}
    assert set(column(table, 0)) == falling
    field.fill("nobody")
    expect(tab.get_by_text("No symbol fits")).to_be_visible()


def test_what_is_unknown_of_a_prediction_is_a_dash(tab: Page, canned: Canned) -> None:
    """And sorted to the end, whichever way."""
    levels = ("low_80", "high_80", "low_95", "high_95", "last_close")
    canned.predictions = [
        row | dict.fromkeys(levels) if row["symbol"] == "API" else row for row in canned.predictions
    ]
    shown(tab, "/")
    for _ in range(2):
        assert column(tab.locator("table"), 0)[-1] == "API"
        tab.get_by_role("button", name="Expected move").click()
    assert column(tab.locator("table"), 1)[-1] == DASH


def test_a_long_market_is_read_in_pages(tab: Page, canned: Canned) -> None:
    """More than the API gives at a time are fetched as well."""
    template = canned.predictions[-1]
    canned.predictions = [template | {"symbol": f"S{number:03}"} for number in range(620)]
    shown(tab, "/")
    expect(tab.get_by_text("620 rows")).to_be_visible()
    pages = tab.get_by_role("navigation", name="Pages of the table")
    expect(pages).to_contain_text("Page 1 of 13")
    pages.get_by_role("button", name="Next").click()
    expect(pages).to_contain_text("Page 2 of 13")
    assert len(column(tab.locator("table"), 0)) == 50


def test_a_symbol_tells_its_price_its_forecast_and_its_features(tab: Page, canned: Canned) -> None:
    """With a picture, the figures beside it, and a table of what came of each forecast."""
    shown(tab, "/symbol/NICAD85/86")
    expect(tab).to_have_title("NICAD85/86 · NEPSE loop")
    text = main_text(tab)
    last = [row for row in canned.actuals if row["symbol"] == "NICAD85/86"][-1]
    assert f"{last['actual_close']:,.2f}" in text
    assert "RSI_14" in text
    picture = tab.get_by_role("img", name="Price and forecast")
    assert picture.locator("path.band").count() == 2
    assert (picture.locator("path.line").first.get_attribute("d") or "").count("L") == len(canned.days) - 2
    history = tab.get_by_role("region", name="Forecasts and closes").locator("table")
    assert column(history, 0)[:2] == ["5 Mar 2024", "4 Mar 2024"]
    assert column(history, 2)[:2] == [DASH, f"{last['actual_close']:,.2f}"]


def test_a_lineage_is_told_down_to_the_raw_file(tab: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the run that made each record; an address that a browser would run stays text."""
    asked: list[Any] = []
    monkeypatch.setattr(operations, "trace", lambda _, *what: asked.append(what) or LINEAGE)
    shown(tab, "/symbol/NABIL")
    tab.get_by_label("Session", exact=True).select_option("4 Mar 2024")
    tab.get_by_role("button", name="Trace").click()
    chain = tab.locator(".chain > li")
    expect(chain).to_have_count(5)
    assert [str(part) for part in asked[0]] == ["NABIL", "2024-03-04"]
    expect(chain.last).to_contain_text("s3://raw/2024-03-03.csv")
    run = chain.get_by_role("link", name="its run in Prefect")
    expect(run).to_have_attribute("href", "http://127.0.0.1:4200/runs/flow-run/r")
    expect(chain.get_by_text("in MLflow")).to_be_visible()
    assert tab.locator('a[href^="javascript"]').count() == 0


def test_a_symbol_is_chosen_by_name_or_from_the_list(tab: Page) -> None:
    """Each has an address of its own."""
    shown(tab, "/symbol")
    tab.get_by_role("combobox", name="Symbol").fill("NICAD85/86")
    tab.get_by_role("button", name="Show").click()
    tab.wait_for_url("**/symbol/NICAD85/86")
    shown(tab, "/symbol").get_by_role("link", name="ADBL").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("ADBL")


def test_every_symbol_is_listed(tab: Page, canned: Canned) -> None:
    """Also those behind the first page of the API."""
    vector = canned.vectors["NABIL"]
    canned.vectors = {name: vector | {"symbol": name} for name in (f"S{number:03}" for number in range(620))}
    shown(tab, "/symbol")
    expect(tab.get_by_text("620 rows")).to_be_visible()
    assert tab.locator("#known option").count() == 620


def test_an_unknown_error_of_persistence_is_no_zero(tab: Page, canned: Canned) -> None:
    """Of some sessions it is left out of the mean, of all it leaves nothing to tell."""
    ours = [row for row in canned.errors if row["symbol"] == "NABIL"]
    for row in ours:
        row["baseline_error"] = None
    ours[-1]["baseline_error"] = -7.25
    shown(tab, "/symbol/NABIL")
    assert "persistence 7.25" in main_text(tab)
    ours[-1]["baseline_error"] = None
    canned.moved("errors")
    expect(tab.locator("main")).to_contain_text(f"persistence {DASH}")


def test_a_model_tells_how_good_it_is_and_why_it_serves(tab: Page, canned: Canned) -> None:
    """The champion where no version is named; skill, calibration, the challenger, features, promotions."""
    shown(tab, "/model")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Model v3")
    skill = tab.get_by_role("img", name="Skill against persistence")
    judged = {row["date"] for row in canned.errors if row["model_version"] == "v3"}
    assert skill.locator("circle").count() == len(judged)
    assert tab.get_by_role("img", name="Calibration of the intervals").locator("rect").count() == 6
    expect(tab.locator(".legend").get_by_text("v4 in shadow")).to_be_visible()
    importance: dict[str, float] = canned.models[1]["payload"]["importance"]
    table = tab.get_by_role("region", name="Feature importance").locator("table")
    assert column(table, 0) == sorted(importance, key=lambda name: -importance[name])
    promotions = tab.get_by_role("region", name="Promotions").locator("table")
    assert column(promotions, 1) == ["v3", "v2"]
    tab.get_by_role("region", name="Versions").get_by_role("link", name="v2").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Model v2")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/", "No predictions yet"),
        ("/symbol", "No symbols yet"),
        ("/model", "Nothing judged yet"),
    ],
)
def test_an_empty_loop_says_what_to_do(tab: Page, canned: Canned, path: str, sentence: str) -> None:
    """Before the first session was ingested."""
    canned.__init__(symbols=())  # type: ignore[misc]
    canned.models = []
    shown(tab, path)
    assert sentence in main_text(tab)
    expect(tab.locator(".state code").first).to_contain_text("nepse ")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/symbol/NABLI", "did you mean NABIL"),
        ("/model/v33", "did you mean"),
        ("/nonsense", "no page at this"),
    ],
)
def test_what_is_not_there_is_explained(tab: Page, watch: Watch, path: str, sentence: str) -> None:
    """With what it may have been meant to be."""
    watch.expect("404")
    tab.goto(path)
    expect(tab.locator("main")).to_contain_text(sentence)


def test_a_database_that_is_away_is_waited_for(tab: Page, canned: Canned, watch: Watch) -> None:
    """The page says so, and shows what it should as soon as it is back."""
    watch.expect("503")
    canned.trouble = TryAgainError("the database did not answer")
    shown(tab, "/")
    expect(tab.get_by_role("alert")).to_contain_text("the database did not answer")
    expect(tab.locator("#connection")).to_have_text("database away")
    canned.trouble = None
    expect(tab.locator("#connection")).to_have_text("live")
    expect(tab.get_by_role("link", name="NABIL")).to_be_visible()
    expect(tab.get_by_role("alert")).to_have_count(0)
