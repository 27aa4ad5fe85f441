"""Charts are zoomed, read and taken away, with the mouse and with keys alone; numbers are written one way."""

import csv
import io
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.canned import Canned
from tests.web.reading import column, shown

PRICE = "Price and forecast"


@pytest.fixture
def chart(tab: Page) -> Locator:
    """A symbol's price."""
    return shown(tab, "/symbol/NABIL").locator("figure.chart", has_text=PRICE)


def closes(canned: Canned) -> dict[str, float]:
    """The closes that it is of."""
    return {str(row["date"]): row["actual_close"] for row in canned.actuals if row["symbol"] == "NABIL"}


def points(chart: Locator) -> int:
    """How many corners the line of closes has."""
    return (chart.locator("path.line").first.get_attribute("d") or "").count("L") + 1


def test_keys_read_zoom_and_move(chart: Locator, canned: Canned) -> None:
    """Arrows go from session to session, plus and minus zoom, 0 shows all."""
    every = closes(canned)
    chart.locator(".chart-stage").focus()
    keyboard = chart.page.keyboard
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowLeft")
    readout = chart.locator(".chart-readout")
    expect(readout).to_contain_text("4 Mar 2024")
    expect(readout).to_contain_text(f"Close {every['2024-03-04']:,.2f}")
    assert points(chart) == len(every)
    keyboard.press("+")
    few = points(chart)
    assert few < len(every)
    first = chart.locator(".axes text").all_inner_texts()
    keyboard.press("Shift+ArrowLeft")
    assert chart.locator(".axes text").all_inner_texts() != first
    keyboard.press("-")
    keyboard.press("0")
    assert points(chart) == len(every)


def test_dragging_over_a_part_shows_that_part(chart: Locator) -> None:
    """A double click shows all again."""
    every, box = points(chart), chart.locator("svg").bounding_box()
    assert box is not None
    mouse = chart.page.mouse
    middle = box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] * 0.4, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
    expect(chart.locator("rect.drag")).to_be_visible()
    mouse.up()
    assert 10 < points(chart) < every / 2
    chart.locator(".chart-stage").dblclick()
    assert points(chart) == every


def test_the_numbers_can_be_taken_away(chart: Locator, canned: Canned, tmp_path: Path) -> None:
    """As CSV with what is drawn, as SVG that stands by itself, as PNG that is no empty sheet."""
    with chart.page.expect_download() as taken:
        chart.get_by_role("button", name=f"Save {PRICE} as CSV").click()
    assert taken.value.suggested_filename == "price-and-forecast.csv"
    rows = list(csv.DictReader(io.StringIO(saved(taken.value, tmp_path).decode())))
    assert {row["Session"]: float(row["Close"]) for row in rows if row["Close"]} == closes(canned)
    with chart.page.expect_download() as taken:
        chart.get_by_role("button", name=f"Save {PRICE} as SVG").click()
    drawing = ET.fromstring(saved(taken.value, tmp_path))  # noqa: S314 - our own page made it
    line = next(part for part in drawing.iter() if part.get("class", "").startswith("line"))
    assert (line.get("stroke") or "").startswith("rgb")
    with chart.page.expect_download() as taken:
        chart.get_by_role("button", name=f"Save {PRICE} as PNG").click()
    picture = saved(taken.value, tmp_path)
    width, height = struct.unpack(">II", picture[16:24])
    assert picture.startswith(b"\x89PNG")
    assert (width > 1000, height, len(picture) > 20_000) == (True, 680, True)


def saved(download: Any, folder: Path) -> bytes:
    """The bytes of a download."""
    path = folder / download.suggested_filename
    download.save_as(path)
    return path.read_bytes()


def test_who_sees_no_picture_reads_a_table(chart: Locator, canned: Canned) -> None:
    """The newest session first, with every series."""
    picture = chart.get_by_role("img")
    assert "each forecast" in (picture.locator("desc").text_content() or "").lower()
    chart.get_by_text("Numbers").click()
    table = chart.locator("table")
    expect(table.locator("tbody tr").first).to_be_visible()  # it is drawn after the click
    assert column(table, 0)[:2] == ["5 Mar 2024", "4 Mar 2024"]
    assert f"{closes(canned)['2024-03-04']:,.2f}" in table.inner_text()


WRITTEN = {
    "price(1234.5)": "1,234.50",
    "price(null)": "\u2013",
    "signed(-1.005)": "\u22121.01",
    "signed(1.5)": "+1.50",
    "signed(0)": "0.00",
    "signedPercent(2.345)": "+2.35 %",
    "percent(NaN)": "\u2013",
    "share(0.953)": "95.3 %",
    "figure(0.01234567)": "0.01235",
    "whole(1234567)": "1,234,567",
    "bytes(512)": "512 bytes",
    "bytes(2048)": "2.0 kB",
    "day('2024-03-04')": "4 Mar 2024",
    "day('soon')": "\u2013",
    "moment('2024-09-04T18:20:00Z')": "5 Sep 2024, 00:05",
    "moment(null)": "\u2013",
    "duration(59)": "59 s",
    "duration(7300)": "2 h",
    "direction(-1)": "down",
}
MARKED = {
    "marks([0, 97], 5)": [0, 20, 40, 60, 80],
    "marks([-0.03, 0.03], 4)": [-0.02, 0, 0.02],
    "extent([3, null, 1])": [1, 3],
    "extent([])": None,
    "linear([0, 10], [0, 300])(5)": 150,
    "linear([0, 10], [0, 300]).invert(150)": 5,
    "dayMarks([Date.UTC(2024, 1, 28), Date.UTC(2024, 2, 1)], 9).length": 3,
    "dayMarks([Date.UTC(2021, 0, 2), Date.UTC(2024, 0, 1)], 6).map((day) => new Date(day).getUTCMonth())": [
        *(6, 0, 6, 0, 6, 0)
    ],
}


def told(tab: Page, module: str, calls: dict[str, Any]) -> dict[str, Any]:
    """Ask a module of the page for each of these."""
    shown(tab, "/")
    load = f"import('/static/{module}.js')"
    return {call: tab.evaluate(f"{load}.then((module) => module.{call})") for call in calls}


def test_numbers_and_moments_are_written_one_way(tab: Page) -> None:
    """Also those that are unknown; spaces before units don't break."""
    written = {call: text.replace("\u00a0", " ") for call, text in told(tab, "format", WRITTEN).items()}
    assert written == WRITTEN


def test_axes_have_round_marks(tab: Page) -> None:
    """Whatever the span."""
    assert told(tab, "scale", MARKED) == MARKED
