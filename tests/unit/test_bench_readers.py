"""The benchmark of readers: it asks for what pages show, counts right, and writes its part."""

import re

import httpx
import pytest

from bench import readers, report, report_readers
from bench.readers import Answer, Sizes
from tests.api_rows import ANSWERS

LEFT_OUT = {"sessions"}
"""Paths that no page asks for on its own."""


def test_what_readers_ask_for_is_what_the_api_answers() -> None:
    """Each kind of answer, and nothing that it has no path for; weights are percent."""
    asked = {re.split(r"[/?]", path("X"))[0] for _, path in readers.MIX.values()}
    answered = {re.split(r"[/?]", path)[0] for path, _ in ANSWERS}
    assert asked == answered - LEFT_OUT
    assert sum(weight for weight, _ in readers.MIX.values()) == 100


def test_answers_are_summed_in_milliseconds() -> None:
    """What was not sent again counts as an answer, and not for the size."""
    found = [Answer(n / 1000, 200, 400) for n in range(1, 100)] + [Answer(0.1, 304, 0)]
    told = readers.summed(found)
    assert (told["count"], told["kept"], told["bytes"]) == (100, 1, 400.0)
    assert told["p50"] == pytest.approx(50.5)
    assert told["p95"] == pytest.approx(95.05)


def test_the_part_tells_the_slowest_endpoint() -> None:
    """One that is too slow misses the target, however fast the others are."""
    fast = readers.summed([Answer(0.002, int(httpx.codes.OK), 900)])
    slow = fast | {"p95": 51.0}
    sizes = Sizes(100, 60)._asdict()
    figures = readers.Figures(sizes, rows=675_000, news=60, answers={"alerts": fast, "pipeline": slow})
    figures.cpu = {"web": 0.5}
    text = report_readers.part(figures)
    assert "| alerts | 1 | 0 | 2.0 | 2.0 | 2.0 | 0.9 |" in text
    assert "675,000 predictions" in text
    assert "| web | 50% |" in text
    assert report.missed(report_readers.TARGETS, report_readers.reached(figures)) == [
        "milliseconds until 95 % of the slowest endpoint's answers are there, at most"
    ]
