"""What a sensor says of itself: one line of log for each cause, and its condition for `nepse status`."""

import logging
import os
import re
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from infra.errors import StopError, SupersededError
from infra.settings import Settings
from infra.stack import conditions, state
from infra.stack.conditions import Condition
from sensors.plan import Unit

Logger = logging.Logger | logging.LoggerAdapter[Any]


class Diary:
    """Tells how one copy of a sensor is, from entering its `with` block to leaving it."""

    def __init__(self, settings: Settings, sensor: str, log: Logger) -> None:
        """Nothing is written yet."""
        self.settings, self.sensor, self.log = settings, sensor, log
        self._pauses: dict[Unit, str] = {}

    def __enter__(self) -> Self:
        """Begin as working."""
        self._publish("working", "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say how it ended: as somebody wished, stopped for a person, or crashed.

        A displaced sensor is silent: the one that took its name speaks under it.
        """
        if error is None:
            self._publish("ended", "it was told to stop")
        elif not isinstance(error, SupersededError):
            found = "stopped" if isinstance(error, StopError) else "crashed"
            self._publish(found, f"{type(error).__name__}: {error}")

    def paused(self, unit: Unit, seconds: float, why: str) -> None:
        """Note that a unit waits; logged once for each cause, however often it is tried again."""
        if _cause(self._pauses.get(unit, "")) != _cause(why):
            self.log.warning("%s paused, first for %.1f s: %s", _named(unit), seconds, why)
            self._pauses[unit] = why
            self._publish("paused", why)

    def resumed(self, unit: Unit) -> None:
        """Note that a unit goes on."""
        if self._pauses.pop(unit, None) is not None:
            self.log.warning("%s goes on", _named(unit))
            why = next(iter(self._pauses.values()), "")
            self._publish("paused" if why else "working", why)

    def _publish(self, kind: str, why: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        me = (os.getpid(), state.birth(os.getpid()))
        told = Condition(self.sensor, self.settings.copy_name, kind, why, now, *me)
        try:
            conditions.publish(self.settings, told)
        except OSError as error:  # a full disk must not stop what still works
            self.log.warning("the sensor's condition could not be written: %s", error)


def _named(unit: Unit) -> str:
    return " + ".join(f"{spot.topic}-{spot.partition}" for spot in unit)


def _cause(why: str) -> str:
    """Take the numbers out of a sentence: ids and offsets change from attempt to attempt."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "#", why)
