"""A version that errs more than its record, and more beside persistence as well."""

from datetime import date, timedelta

import pytest

from tasks.core.sustained import Level, Record, SustainedError

RULE = SustainedError(sessions=5, ratio=1.5, calm=1.2)
RECORD = Record(2.0, 2.1)


def levels(*errors: float, baseline: float | None = None) -> list[Level]:
    """Sessions one after the other."""
    first = date(2024, 3, 3)
    return [Level(first + timedelta(n), error, baseline) for n, error in enumerate(errors)]


def test_all_sessions_are_needed() -> None:
    """Four bad sessions say nothing yet, five do, and a promise that is unknown never does."""
    assert RULE.verdict(levels(*[9.0] * 4), RECORD) is None
    assert RULE.verdict(levels(*[9.0] * 5), None) is None
    found = RULE.verdict(levels(1.0, *[9.0] * 5), RECORD)
    assert found is not None
    assert (found.level, found.threshold) == (9.0, 3.0)
    assert "9.00 %" in found.why


@pytest.mark.parametrize(("level", "complains"), [(3.0, False), (3.01, True)])
def test_the_level_has_to_be_above_the_threshold(level: float, complains: bool) -> None:
    """One and a half times the record's error."""
    assert (RULE.verdict(levels(*[level] * 5), RECORD) is not None) is complains


def test_a_restless_market_is_no_fault_of_the_version() -> None:
    """Errors twice as large, and persistence's as well: the version is worth what it was."""
    assert RULE.verdict(levels(*[4.0] * 5, baseline=4.2), RECORD) is None
    assert RULE.verdict(levels(*[4.0] * 5, baseline=5.0), RECORD) is None


def test_a_version_that_lost_its_lead_is_told() -> None:
    """Errors twice as large, and larger than persistence's; the sentence names both leads."""
    found = RULE.verdict(levels(*[4.0] * 5, baseline=3.9), RECORD)
    assert found is not None
    assert "lead over persistence -2.6% is less than the record's 4.8%" in found.why


def test_where_a_lead_is_unknown_the_level_decides() -> None:
    """Errors and records of older versions tell nothing of persistence."""
    assert RULE.verdict(levels(*[4.0] * 5), RECORD)
    assert RULE.verdict([*levels(4.0), *levels(*[4.0] * 4, baseline=4.2)], RECORD)
    assert RULE.verdict(levels(*[4.0] * 5, baseline=4.2), Record(2.0))


@pytest.mark.parametrize(
    ("errors", "calm"),
    [((3.0,) * 9, False), ((2.4,) * 4, False), ((3.0, *(2.4,) * 5, 3.0), True), ((2.5,) * 8, False)],
)
def test_it_was_calm_once_five_sessions_were(errors: tuple[float, ...], calm: bool) -> None:
    """At most 1.2 times the record's error, in the mean of five sessions in a row."""
    assert RULE.is_calm(levels(*errors), RECORD) is calm
