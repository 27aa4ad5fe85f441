"""When a sensor counts as healthy: progress decides, and what its copies say."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from events.envelope import Event, Metadata, encode
from events.payloads import OffsetRange, SliceCommitted
from infra.cli.stack import _require_healthy
from infra.errors import StackError
from infra.kafka.lag import Progress, Standing, commits_of
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


def at(lag: int, waited_s: float, last_commit: datetime | None = None, partition: int = 0) -> Standing:
    """Say how the flow stands on a partition."""
    return Standing("features", partition, lag, waited_s, last_commit)


def on(*standings: Standing) -> Progress:
    """Put partitions together."""
    return Progress(standings)


@pytest.mark.parametrize(
    ("far", "healthy"),
    [
        (on(at(0, 0)), True),
        (on(at(0, 0, ago(9_000))), True),
        (on(at(5, 30, ago(9_000))), True),
        (on(at(5, 9_000, ago(30))), True),
        (on(at(5, 61, ago(9_000))), False),
        (on(at(5, 9_000, ago(61))), False),
        (on(at(5, 61)), False),
        (on(at(5, 30)), True),
    ],
)
def test_no_progress_is_unhealthy(settings: Settings, far: Progress, healthy: bool) -> None:
    """Records have to have waited, and nothing to have been committed, for longer than a minute."""
    found = sensor_status(settings, ROUTE, far, [ME], NOW)
    assert found["healthy"] is healthy
    assert (found["why"] is None or found["why"].startswith("lagging")) is healthy


@pytest.mark.parametrize(
    ("far", "why"),
    [
        (on(at(5, 15, ago(1))), None),
        (on(at(5, 16, ago(1))), "lagging: 5 records of features-0 wait, the oldest for 16 s"),
        (
            on(at(5, 1), at(2, 40, ago(1), partition=1)),
            "lagging: 2 records of features-1 wait, the oldest for 40 s",
        ),
        (on(at(0, 40)), None),
        (on(at(5, 90)), "5 records of features-0 wait, nothing was committed for 90 s"),
    ],
)
def test_a_sensor_that_lags_is_said_to(settings: Settings, far: Progress, why: str | None) -> None:
    """Before it is unhealthy, and also while it commits others."""
    assert sensor_status(settings, ROUTE, far, [ME], NOW)["why"] == why


def test_a_partition_that_is_stuck_is_not_hidden_by_the_others(settings: Settings) -> None:
    """A record of yesterday on one partition is unhealthy, although another committed two seconds ago."""
    stuck, busy = at(3, 86_400, ago(90_000)), at(9, 86_400, ago(2), partition=1)
    found = sensor_status(settings, ROUTE, on(busy, stuck), [ME], NOW)
    assert not found["healthy"]
    assert found["why"] == "3 records of features-0 wait, nothing was committed for 86400 s"
    assert (found["lag"], found["last_commit"]) == (12, ago(2).isoformat(timespec="milliseconds"))
    assert sensor_status(settings, ROUTE, on(busy), [ME], NOW)["healthy"]


def test_the_ledger_tells_which_partitions_a_commit_was_of() -> None:
    """Both sides of a pair are, an empty one as well; what is no entry says nothing."""
    ranges = [OffsetRange(topic=topic, partition=2, start=4, end=end) for topic, end in (("p", 9), ("a", 4))]
    entry = SliceCommitted(flow="join", group="join", ranges=ranges, run_id="r", code_version="1")
    told = encode(Event(NOW, "join", entry, Metadata("id", "id")))
    assert commits_of(told) == {("join", "p", 2): NOW, ("join", "a", 2): NOW}
    assert commits_of(b"{") == {}


def test_a_long_run_may_take_its_time(settings: Settings) -> None:
    """A training has an hour; the wiring says so."""
    (retrain,) = [route for route in routes() if route.flow == "retrain"]
    trains = sensor_status(settings, retrain, on(at(1, 600)), [], NOW)
    assert (trains["healthy"], trains["why"]) == (True, None)
    assert not sensor_status(settings, retrain, on(at(1, 4_000)), [], NOW)["healthy"]


def test_the_reason_comes_from_the_sensor_itself(settings: Settings) -> None:
    """What it waits for, and since when; a stopped sensor is unhealthy at once."""
    paused = replace(ME, state="paused", why="the database did not answer")
    found = sensor_status(settings, ROUTE, on(at(5, 99, ago(99))), [paused], NOW)
    assert found["why"] == (
        "5 records of features-0 wait, nothing was committed for 99 s;"
        " paused since 2026-01-04T11:00:00: the database did not answer"
    )
    early = sensor_status(settings, ROUTE, on(at(5, 9, ago(9))), [paused], NOW)
    assert (early["healthy"], "paused" in str(early["why"])) == (True, True)
    stopped = sensor_status(settings, ROUTE, on(at(0, 0)), [replace(ME, state="stopped")], NOW)
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
    good: PartStatus = {
        "name": "kafka",
        "url": None,
        "metrics": None,
        "healthy": True,
        "version": "4",
    }
    ill = sensor_status(settings, ROUTE, on(at(5, 99)), [], NOW)
    _require_healthy(settings, [good], [], running=True)
    with pytest.raises(StackError, match="not healthy: sensor-predict"):
        _require_healthy(settings, [good], [ill], running=True)
