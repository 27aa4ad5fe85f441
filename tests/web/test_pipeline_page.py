"""The page of the pipeline: what flows where, how far each flow is, and what is wrong."""

import re

import pytest
from playwright.sync_api import Page, expect

from events.topics import TOPICS
from infra.errors import TryAgainError
from infra.wiring import steps
from tests.web.conftest import Watch
from tests.web.operating import Operating
from tests.web.reading import column, main_text, shown
from web import overview

BESIDE = {"slices", "dead-letters", "redrives"}
"""Topics that every flow writes to: they are listed, and not drawn."""


@pytest.fixture
def canned() -> Operating:
    """A loop at work."""
    return Operating()


def test_every_topic_and_flow_is_drawn_in_a_place_of_its_own(tab: Page) -> None:
    """What the wiring has more than the drawing knows of would be put below it."""
    shown(tab, "/pipeline")
    wanted = {step.flow for step in steps()} | set(TOPICS) - BESIDE
    drawn = tab.locator("[data-node]").evaluate_all("nodes => nodes.map((one) => one.dataset.node)")
    places = tab.evaluate("import('/static/diagram.js').then(({ PLACES }) => PLACES)")
    assert sorted(drawn) == sorted(places) == sorted(wanted)
    assert len({tuple(place) for place in places.values()}) == len(places)
    edges = {(flow.flow, topic) for flow in steps() for topic in flow.writes}
    edges |= {(topic, flow.flow) for flow in steps() for topic in flow.reads}
    found = tab.locator(".edge").evaluate_all(
        "every => every.map(({ dataset }) => [dataset.from, dataset.to])"
    )
    assert {tuple(one) for one in found} == edges


def test_a_flow_that_begins_to_wait_is_seen_at_once(tab: Page, canned: Operating) -> None:
    """In words, in the drawing and for who listens; and so is its end."""
    shown(tab, "/pipeline")
    node, state = tab.locator("[data-node=predict]"), tab.locator("tr", has=tab.locator("#flow-predict"))
    expect(node).to_contain_text("well")
    expect(tab.locator("#connection")).to_have_text("live")
    tab.evaluate("window.kept = 1")
    canned.wait("predict", "features", 20, partition=1)
    canned.moved("features")
    expect(node).to_contain_text("lagging")
    expect(state).to_contain_text(re.compile(r"340 · \d+"))
    expect(tab.locator("#announcements")).to_have_text("predict is lagging")
    assert "1 need a look" in main_text(tab)
    canned.waits.clear()
    canned.moved("slices")
    expect(node).to_contain_text("well")
    expect(tab.locator("#announcements")).to_have_text("All flows are well")
    assert tab.evaluate("window.kept") == 1


def test_a_sensor_that_stopped_says_why(tab: Page, canned: Operating) -> None:
    """As text, with the gravest flow first; its run and version are a click away."""
    canned.say("sensor-predict", "stopped", "the positions do not fit the topics")
    canned.wait("join-errors", "actuals", 400)
    shown(tab, "/pipeline")
    table = tab.get_by_role("table", name="Flows")
    assert column(table, 1)[:3] == ["stopped", "stuck", "well"]
    first = table.locator("tbody tr").first
    expect(first).to_contain_text("the positions do not fit the topics")
    expect(first.get_by_role("link", name="v3")).to_have_attribute(
        "href", "http://127.0.0.1:5000/#/models/nepse-close/versions/3"
    )
    run = first.get_by_role("link", name="The newest run of predict in Prefect")
    expect(run).to_have_attribute("href", "http://127.0.0.1:4200/runs/flow-run/run-of-predict")
    expect(tab.get_by_role("heading", name="Sensors of this machine")).to_be_visible()


def test_the_drawing_is_walked_with_keys(tab: Page) -> None:
    """Each flow is a link that says how it is, and leads to its line."""
    shown(tab, "/pipeline")
    node = tab.get_by_role("link", name="join-errors: well. Reads predictions, actuals, writes errors.")
    node.focus()
    expect(tab.locator(".edge.near")).to_have_count(3)
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#flow-join-errors")
    expect(tab.locator("#flow-join-errors")).to_be_in_viewport()


def test_what_nobody_feeds_yet_says_what_to_do(tab: Page, canned: Operating) -> None:
    """An empty loop is no failure."""
    canned.commits.clear()
    canned.conditions.clear()
    shown(tab, "/pipeline")
    assert set(column(tab.get_by_role("table", name="Flows"), 1)) == {"idle", "no sensor"}
    assert "nepse up starts them" in main_text(tab)


def test_a_pipeline_whose_database_is_away_is_asked_for_again(
    tab: Page, canned: Operating, watch: Watch
) -> None:
    """With a sentence, and a button; what was shown stays."""
    watch.expect("503")
    shown(tab, "/pipeline")
    canned.trouble = TryAgainError("the database did not answer")
    canned.moved("features")
    expect(tab.get_by_role("alert")).to_contain_text("the database did not answer")
    expect(tab.locator("[data-node=predict]")).to_be_visible()
    canned.trouble = None
    tab.get_by_role("button", name="Try again").click()
    expect(tab.get_by_role("alert")).to_have_count(0)


def test_the_drawings_topics_are_those_that_have_tables() -> None:
    """Nothing is asked for that no event is kept of."""
    assert set(overview.TABLES) == set(TOPICS)
