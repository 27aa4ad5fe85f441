"""Which rules a stack uses, and which of its alerts are news."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from events.payloads import AlertRaised, AlertResolved, PredictionExpired
from infra.errors import StopError
from infra.settings import Settings, load_settings
from tasks import alerting
from tasks.core.digest import worth_telling
from tasks.core.rule_file import defaults
from tests.unit.test_alerting import an_error

RULES = "rules:\n  - {name: tiny, about: error, measure: abs_error, above: 1, by: [symbol]}\n"


def in_use(tmp_path: Path, text: str) -> Settings:
    """Settings that name a file of rules."""
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    return load_settings(tmp_path, alert_rules=file)


def a_loop(settings: Settings, *days: date) -> Any:
    """A view of the world that holds sessions."""
    known = SimpleNamespace(days=lambda _: days)
    return SimpleNamespace(
        settings=settings,
        keep=lambda name, make: known if name == "sessions" else make(),
        raw_data=SimpleNamespace(refresh=lambda: 7),
        live=None,
    )


def test_the_rules_are_those_of_the_file(tmp_path: Path) -> None:
    """Without one those that come with the system."""
    assert alerting.rules_of(load_settings(tmp_path)) == defaults()
    assert [rule.name for rule in alerting.rules_of(in_use(tmp_path, RULES))] == ["tiny"]


def test_a_file_that_can_not_be_used_stops_the_flow(tmp_path: Path) -> None:
    """With the line, and how to try again; also where there is no file."""
    with pytest.raises(StopError, match=r"rules\.yaml.*line 1: the file needs a list.*nepse alerts test"):
        alerting.rules_of(in_use(tmp_path, "none: 1"))
    with pytest.raises(StopError, match="No such file"):
        alerting.rules_of(load_settings(tmp_path, alert_rules=tmp_path / "nowhere"))


def test_alerts_about_old_sessions_are_marked(tmp_path: Path) -> None:
    """The three newest sessions are news; what a history brings is not."""
    days = [date(2024, 1, day) for day in (1, 2, 3, 4)]
    loop = a_loop(in_use(tmp_path, RULES), *days)
    errors = [an_error(9.0).model_copy(update={"date": day}) for day in days]
    marks = [alert.historic for _, alert in alerting.alerts_about(loop, errors)]
    assert marks == [True, False, False, False]
    assert [a.historic for _, a in alerting.alerts_about(a_loop(loop.settings), errors[:1])] == [False]


def test_an_alert_has_an_identity() -> None:
    """The same for the same rule and symbol, whatever the session; another for another symbol."""
    errors = [an_error(60.0), an_error(70.0), an_error(60.0).model_copy(update={"symbol": "NICA"})]
    raised = [alert for _, alert in alerting.AlertManager().process(errors)]
    first, again, other = (alert.alert_id for alert in raised if alert.rule == "abs_error")
    assert first == again != other
    assert raised[0].labels == {"symbol": "NABIL"}


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (AlertRaised(rule="a", severity="warning", message="m"), True),
        (AlertRaised(rule="a", severity="info", message="m"), False),
        (AlertRaised(rule="a", severity="critical", message="m", historic=True), False),
        (AlertResolved(rule="a", message="m"), True),
        (AlertResolved(rule="a", message="m", severity="info"), False),
        (PredictionExpired(symbol="A", date=date(2024, 1, 1), predicted=1.0, sessions_waited=1), False),
    ],
)
def test_who_is_told_of_what(payload: Any, told: bool) -> None:
    """Information is kept, and history calls nobody."""
    assert worth_telling(payload) is told
