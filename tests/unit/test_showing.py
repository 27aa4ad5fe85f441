"""What the watch shows of the whole system, and of what it does not know."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from infra import metrics
from infra.errors import TryAgainError
from tasks import showing
from tasks.core.calendar import exchange_day
from tasks.showing import Showing

NOW = datetime(2024, 3, 6, 9, 15, tzinfo=UTC)
"""15:00 in Kathmandu, of a session three days after the one that is held."""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[object, float]:
    """What is shown, by metric."""
    found: dict[object, float] = {}
    monkeypatch.setattr(metrics, "alone", found.__setitem__)
    monkeypatch.setattr(metrics, "only", lambda *_: None)
    monkeypatch.setattr(showing.facts, "reached", lambda *_: (1,))
    monkeypatch.setattr(showing.facts, "errors", lambda *_: [])
    monkeypatch.setattr(Showing, "_show_models", lambda _: None)
    return found


def world(*held: date) -> Any:
    """A world in which these sessions stand."""
    told = SimpleNamespace(days=lambda _: held)
    raw_data = SimpleNamespace(refresh=lambda: 1)
    return SimpleNamespace(database=None, raw_data=raw_data, keep=lambda *_: told)


def test_the_age_of_the_newest_session_that_stands_is_shown(shown: dict[object, float]) -> None:
    """As the topic tells it; a session ahead of today is none yet."""
    Showing(world(date(2024, 3, 3), date(2030, 1, 1))).show(dict, NOW)
    assert shown[metrics.SESSION_AGE] == timedelta(days=3).total_seconds()


def test_no_session_has_no_age(shown: dict[object, float]) -> None:
    """Nor is a 0 shown."""
    Showing(world()).show(dict, NOW)
    assert metrics.SESSION_AGE not in shown


def test_a_broker_that_does_not_answer_is_asked_once(shown: dict[object, float]) -> None:
    """Each further question would take seconds, in which people are not told."""

    def silent() -> dict[str, Any]:
        message = "no answer"
        raise TryAgainError(message)

    Showing(world(date(2024, 3, 3))).show(silent, NOW)
    assert list(shown) == [metrics.WATCH_LOOKED]


def test_the_day_is_the_exchanges() -> None:
    """It begins at 18:15 in Greenwich."""
    assert exchange_day(datetime(2024, 3, 5, 18, 14, tzinfo=UTC)) == date(2024, 3, 5)
    assert exchange_day(datetime(2024, 3, 5, 18, 15, tzinfo=UTC)) == date(2024, 3, 6)
