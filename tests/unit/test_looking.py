"""What the watch makes of lag, and of errors."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from infra.database.facts import SessionErrors
from infra.wiring import routes
from tasks import looking
from tasks.core.alert_life import Key, Sample
from tasks.core.alert_rules import AlertRule
from tasks.looking import Eyes, _beyond

LEAD = AlertRule(
    "lead", "errors", "lead", above=1.1, statistic="mean", over=2, over_unit="sessions", by=("model_version",)
)


def test_a_flow_that_may_take_long_does_not_lag_meanwhile() -> None:
    """A training commits at its end; what it takes beyond its wiring's patience counts."""
    [patience] = {route.stalled_after_s for route in routes() if route.flow == "retrain"}
    assert patience
    assert _beyond("retrain", 120.0) == 0.0
    assert _beyond("retrain", patience + 30.0) == pytest.approx(30.0)
    assert _beyond("predict", 30.0) == 30.0


def of(version: str) -> tuple[tuple[str, str]]:
    """The labels of a version."""
    return (("model_version", version),)


def a_row(version: str, day: int, lead: float | None) -> SessionErrors:
    """What a version did in a session."""
    return SessionErrors(version, date(2024, 3, day), 1.0, 1.0, 0.0, lead)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([a_row("1", 4, 2.0), a_row("1", 5, 3.0)], [(of("1"), 2.5)]),
        ([a_row("1", 4, 2.0), a_row("2", 5, 3.0)], [(of("1"), None), (of("2"), None)]),
        ([a_row("1", 4, None), a_row("1", 5, 3.0)], [(of("1"), None)]),
        ([a_row("1", 5, 3.0)], [(of("0"), None)]),
        ([], [(of("0"), None)]),
    ],
    ids=["enough", "versions that changed", "not measured", "one session", "a read side that is made anew"],
)
def test_too_few_sessions_leave_what_stands(
    rows: list[SessionErrors], found: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say nothing: neither that it is bad nor that it is over."""
    monkeypatch.setattr(looking.facts, "errors", lambda *_: rows)
    eyes = object.__new__(Eyes)
    eyes._loop = SimpleNamespace(database=None)  # type: ignore[assignment]
    eyes._showing = SimpleNamespace(show=lambda *_: None)  # type: ignore[assignment]
    standing = [Key("lead", of("0")), Key("other", of("9"))]
    seen = eyes.look([LEAD], standing, datetime(2024, 3, 6, tzinfo=UTC))
    assert seen == [Sample("lead", labels, value) for labels, value in found]


def test_errors_are_asked_for_up_to_the_exchanges_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dated ahead is of no session yet."""
    asked = list[object]()
    monkeypatch.setattr(looking.facts, "errors", lambda _, *of: asked.append(of) or [])
    eyes = object.__new__(Eyes)
    eyes._loop = SimpleNamespace(database=None)  # type: ignore[assignment]
    eyes._showing = SimpleNamespace(show=lambda *_: None)  # type: ignore[assignment]
    eyes.look([LEAD], [], datetime(2024, 3, 6, 18, 15, tzinfo=UTC))
    assert asked == [(2, date(2024, 3, 7))]
