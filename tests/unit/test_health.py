"""When a sensor counts as healthy: progress decides, and what its copies say."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.cli.stack import _require_healthy
from infra.errors import StackError
from infra.kafka.lag import Progress
from infra.settings import Settings, load_settings
from infra.stack import state
from infra.stack.conditions import Condition, conditions, publish
from infra.stack.status import PartStatus, sensor_status
from infra.wiring import Route, routes

NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
ROUTE = Route("sensor-predict", "predict", ("features",))
ME = Condition(
    "sensor-predict", "one", "working", "", "2026-01-04T11:00:00", os.getpid(), state.birth(os.getpid())
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a home of its own."""
    return load_settings(tmp_path)


def ago(seconds: float) -> datetime:
    """Name a time before now."""
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("far", "healthy"),
    [
        (Progress(0, 0, None), True),
        (Progress(0, 0, ago(9_000)), True),
        (Progress(5, 30, ago(9_000)), True),
        (Progress(5, 9_000, ago(30)), True),
        (Progress(5, 61, ago(9_000)), False),
        (Progress(5, 9_000, ago(61)), False),
        (Progress(5, 61, None), False),
        (Progress(5, 30, None), True),
    ],
)
def test_no_progress_is_unhealthy(settings: Settings, far: Progress, healthy: bool) -> None:
    """Records have to have waited, and nothing to have been committed, for longer than a minute."""
    found = sensor_status(settings, ROUTE, far, [ME], NOW)
    assert found["healthy"] is healthy
    assert (found["why"] is None) is healthy


def test_a_long_run_may_take_its_time(settings: Settings) -> None:
    """A training has an hour; the wiring says so."""
    (retrain,) = [route for route in routes() if route.flow == "retrain"]
    assert sensor_status(settings, retrain, Progress(1, 600, None), [], NOW)["healthy"]
    assert not sensor_status(settings, retrain, Progress(1, 4_000, None), [], NOW)["healthy"]


def test_the_reason_comes_from_the_sensor_itself(settings: Settings) -> None:
    """What it waits for, and since when; a stopped sensor is unhealthy at once."""
    paused = replace(ME, state="paused", why="the database did not answer")
    found = sensor_status(settings, ROUTE, Progress(5, 99, ago(99)), [paused], NOW)
    assert found["why"] == (
        "5 records wait, nothing was committed for 99 s;"
        " paused since 2026-01-04T11:00:00: the database did not answer"
    )
    early = sensor_status(settings, ROUTE, Progress(5, 9, ago(9)), [paused], NOW)
    assert (early["healthy"], "paused" in str(early["why"])) == (True, True)
    stopped = sensor_status(settings, ROUTE, Progress(0, 0, None), [replace(ME, state="stopped")], NOW)
    assert not stopped["healthy"]


def test_the_dead_are_not_listened_to_unless_they_stopped(settings: Settings) -> None:
    """A copy that was killed says nothing any more; why a sensor stopped stays known until one runs again."""
    killed = replace(ME, copy="killed", pid=2**22 + 1, state="paused")
    stopped = replace(killed, copy="stopped", state="stopped")
    for one in (killed, stopped):
        publish(settings, one)
    assert conditions(settings) == [stopped]
    publish(settings, ME)
    assert conditions(settings) == [ME]


def test_an_unhealthy_sensor_is_an_exit_code(settings: Settings) -> None:
    """A script sees what a person sees."""
    good: PartStatus = {"name": "kafka", "url": None, "healthy": True, "version": "4"}
    ill = sensor_status(settings, ROUTE, Progress(5, 99, None), [], NOW)
    _require_healthy(settings, [good], [], running=True)
    with pytest.raises(StackError, match="not healthy: sensor-predict"):
        _require_healthy(settings, [good], [ill], running=True)
