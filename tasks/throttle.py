"""Whoever publishes many past sessions waits for the live loop: what is live goes first."""

import time
from collections.abc import Callable, Sequence

from kafka import KafkaConsumer

from infra.errors import TryAgainError
from infra.kafka.bounded import close
from infra.kafka.lag import behind
from infra.kafka.members import members
from infra.progress import tell
from infra.running import wait
from infra.settings import Settings

FLOWS = ("predict", "join-errors")
"""Flows that work off what is published."""

MOST_WAITING = 2_000
"""Records (markers of transactions included) that may wait for them when a block is published."""

LOOK_SECONDS = 0.5
LONGEST_SECONDS = 1_800.0
ABSENT_SECONDS = 90.0
"""For how long a flow may have no sensor: one that ended is started again within a minute."""


class Throttle:
    """Waits while the live loop has too much to do; keeps its clients until it is closed."""

    def __init__(
        self,
        measure: Callable[[], int],
        absent: Callable[[], Sequence[str]] = tuple,
        *,
        most: int = MOST_WAITING,
        longest: float = LONGEST_SECONDS,
        pause: Callable[[float], bool] = wait,
    ) -> None:
        """Nothing is measured yet.

        Args:
            measure: records that wait now.
            absent: names flows that have no sensor, asked only where nothing is worked off.
            most: how many of them may.
            longest: seconds of waiting without any progress before giving up.
            pause: sleeps for so many seconds; True says that this process is to end.
        """
        self._measure, self._absent, self._pause = measure, absent, pause
        self._most, self._longest = most, longest

    def pass_(self) -> None:
        """Come back when no more than `most` records wait.

        Raises:
            TryAgainError: for too long nothing was worked off, no sensor is there for it, or this process
                is to end.
        """
        waiting = self._measure()
        least, since, ask = waiting, time.monotonic(), ABSENT_SECONDS
        while waiting > self._most:
            tell(f"waiting: the live loop has {waiting} records to do", 0, 0)
            if self._pause(LOOK_SECONDS):
                message = "stopped while waiting for the live loop; the same command goes on from here"
                raise TryAgainError(message)
            waiting = self._measure()
            stalled = time.monotonic() - since
            if waiting < least:
                least, since, ask = waiting, time.monotonic(), ABSENT_SECONDS
            elif stalled > self._longest:
                raise TryAgainError(self._stuck(waiting))
            elif stalled > ask:
                self._require_sensors(waiting)
                ask += ABSENT_SECONDS

    def _require_sensors(self, waiting: int) -> None:
        """Give up where nobody is there to work anything off."""
        if absent := self._absent():
            message = (
                f"{waiting} records wait for {' and '.join(absent)}, which no sensor runs: start it (see"
                " 'nepse status'), then the same command goes on from here"
            )
            raise TryAgainError(message)

    def _stuck(self, waiting: int) -> str:
        return (
            f"{' and '.join(FLOWS)} have had {waiting} records to do for {self._longest:g} s:"
            " see 'nepse lag'; once they go on, the same command goes on from here"
        )


class LiveLag:
    """Measures how much the live loop has to do, with clients of its own."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self._readers: dict[str, KafkaConsumer] = {}

    def __call__(self) -> int:
        """Count the records; raises TryAgainError where the broker gives no answer."""
        return behind(self._settings, self._readers, FLOWS)

    def absent(self) -> list[str]:
        """Name the flows of which no sensor is in the group; raises TryAgainError as `members`."""
        return [flow for flow in FLOWS if not members(self._settings, flow)]

    def close(self) -> None:
        """Close the clients."""
        for reader in self._readers.values():
            close(reader)
        self._readers.clear()
