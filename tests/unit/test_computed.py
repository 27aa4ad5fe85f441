"""A training waits for the features of its session, and for nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from events.envelope import Event, Metadata
from events.payloads import DataIngested, DataRetracted
from infra.errors import TryAgainError
from tasks import computed
from tasks.computed import await_computed
from tests.topic_in_memory import NOON, Log

DAYS = [date(2024, 3, day) for day in (3, 4, 5)]


class World:
    """A loop with three sessions, and the progress of compute-features each time that it is looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *progress: int) -> None:
        """Let the flow come so far, the last of these for ever."""
        told = [DataIngested(symbol="NEPSE", date=day, data_location=f"s3://raw/{day}") for day in DAYS]
        self.raw_data, self.live, self.settings = Log("raw-data", *told), self, None
        self.looks, self._progress = 0, progress
        self._kept: dict[str, Any] = {}
        monkeypatch.setattr(computed, "progress", self._told)
        monkeypatch.setattr(computed, "LOOK_SECONDS", 0.0)

    def keep(self, name: str, make: Any) -> Any:
        """Keep something for this world."""
        return self._kept.setdefault(name, self._kept.get(name) or make())

    @contextmanager
    def _told(self, _settings: object) -> Iterator[Callable[[], int]]:
        yield self._look

    def _look(self) -> int:
        self.looks += 1
        return self._progress[min(self.looks, len(self._progress)) - 1]


@pytest.mark.parametrize(
    ("until", "looks"),
    [(DAYS[0], 1), (DAYS[1], 3), (DAYS[2], 4), (date(2024, 3, 8), 4), (date(2024, 3, 1), 0)],
)
def test_it_waits_until_the_flow_has_passed_the_session(
    until: date, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest one up to the day that was asked for; where there is none it waits for nothing."""
    world: Any = World(monkeypatch, 1, 1, 2, 3)
    await_computed(world, until)
    assert world.looks == looks


def test_a_session_that_was_taken_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before it is the newest."""
    world: Any = World(monkeypatch, 2)
    gone = DataRetracted(symbol="NEPSE", date=DAYS[2], data_location=f"s3://raw/{DAYS[2]}", reason="a repeat")
    world.raw_data.add(Event(NOON, "test", gone, Metadata("gone", "chain")))
    await_computed(world, DAYS[2])
    assert world.looks == 1


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the session and the flow; the slice is tried again later."""
    world: Any = World(monkeypatch, 0)
    with pytest.raises(TryAgainError, match=r"session 2024-03-04 are not computed .* is compute-features"):
        await_computed(world, DAYS[1], longest=0.0)
    assert world.looks >= 1
