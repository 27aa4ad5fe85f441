"""The page of faults: a line for each kind, and what is missing from it."""

from tests.faults.checker import Finding
from tests.faults.table import Report, repeats


def test_the_page_tells_what_each_fault_cost() -> None:
    """How often, what was found, and how long it took; a kind that never ended has no line."""
    report = Report("`make faults`")
    line = report.lines["SIGKILL"]
    line.seconds, line.findings = [3.0, 1.0, 2.0], [Finding("lost", "x"), Finding("overlap", "y")]
    assert report.lines["never ended"].seconds == []
    assert report.text().splitlines()[-1] == "| SIGKILL | 3 | 1 | 1 | 0 | 2.0 | 3.0 |"


def test_a_page_that_was_interrupted_says_so() -> None:
    """It must not look like a whole one."""
    report = Report("`make faults`")
    assert "Interrupted" not in report.text()
    report.left = 7
    assert "Interrupted: 7 tests had not run" in report.text()


def test_kills_come_more_often_than_what_takes_a_minute() -> None:
    """Once each in the short version, else at least three times."""
    assert [repeats(rounds) for rounds in (1, 3, 5)] == [1, 3, 3]
