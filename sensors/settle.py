"""What follows from how a run ended: go on, wait, plan again, halve, give a record up, or stop."""

import random
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from kafka import TopicPartition

from events.payloads import OffsetRange
from infra import metrics
from infra.errors import StopError, SupersededError
from infra.kafka.records import ranges_label
from infra.logs import about
from infra.settings import Settings
from infra.wiring import Route
from sensors.diary import Diary, Logger
from sensors.dispatch import Result
from sensors.failures import Outcome, classify
from sensors.isolate import give_up, servers_away
from sensors.plan import Patience, Unit, size

LARGEST_RECORD = 5 * 1024 * 1024
"""Bytes; the broker takes none that is larger."""
BREATH_SECONDS = 0.2
TAKEOVER_SECONDS = 1.0
"""After somebody newer took a slice over: until a poll has shown whether the partition is still ours."""


@dataclass
class Work:
    """One unit's state: where the group stands, what is under way, how patient we are."""

    unit: Unit
    patience: Patience
    starts: dict[TopicPartition, int] = field(default_factory=dict)
    ranges: list[OffsetRange] = field(default_factory=list)
    future: "Future[Result] | None" = None
    news_since: float | None = None
    not_before: float = 0.0
    shared: bool = False
    """Whether the run under way does slices of other units as well."""
    taken_up: bool = False
    failing_at: list[int] = field(default_factory=list)
    """Where the slice began whose failures on its data were counted last."""
    away_at: list[int] = field(default_factory=list)
    """Where the slice began whose outages were counted last."""
    proven: bool = False
    """Whether the next record has ended the process so often that it is given up unseen."""


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles the units of one sensor."""

    settings: Settings
    route: Route
    log: Logger
    diary: Diary

    def settle(self, work: Work, result: Result) -> None:
        """Act on how a run ended; the unit is looked at again at once, or after a pause.

        Raises:
            StopError: a person has to decide.
        """
        work.future, work.starts, pause = None, {}, 0.0
        if result.outcome is Outcome.DONE:
            self._done(work)
        else:
            metrics.RETRIES.labels(self.route.flow, result.outcome.value).inc()
            with about(run_id=result.run_id, slice=ranges_label(work.ranges)):
                pause = self._failed(work, result)
        work.not_before = time.monotonic() + pause

    def _done(self, work: Work) -> None:
        """Go on behind the slice; where it may have ended early for its bytes, the broker is asked."""
        if size(work.ranges) * LARGEST_RECORD <= self.settings.slice_bytes:
            work.starts = {TopicPartition(r.topic, r.partition): r.end for r in work.ranges}
        work.patience.succeeded(size(work.ranges))
        self.diary.resumed(work.unit)

    def _failed(self, work: Work, result: Result) -> float:
        """Decide, and say so; returns the seconds to wait."""
        if result.outcome is Outcome.STOP:
            raise StopError(result.why)
        if result.outcome is Outcome.REPLAN:
            self.log.info("planning again: %s", result.why)
            superseded = isinstance(result.error, SupersededError)
            return _jittered(work.patience.replan()) + (TAKEOVER_SECONDS if superseded else 0.0)
        if result.outcome is Outcome.AGAIN:
            self._count_outage(work)
            return self._pause(work, result.why)
        if result.outcome is Outcome.CRASHED and not work.patience.crashed():
            return self._pause(work, result.why)
        if not self._suspect(work):
            self.log.warning(
                "slices alone or smaller, down to %d offsets: %s", work.patience.limit, result.why
            )
            return BREATH_SECONDS
        return self.isolate(work, result)

    def _count_outage(self, work: Work) -> None:
        """Try less at a time where one slice never gets through; it stays nobody's fault but the world's."""
        at, before = [r.start for r in work.ranges], work.patience.limit
        if at != work.away_at:
            work.away_at, work.patience.outages = at, 0
        work.patience.outage_of(size(work.ranges))
        if work.patience.limit < before:
            self.log.info("slices smaller, down to %d offsets, after outages", work.patience.limit)

    @staticmethod
    def _suspect(work: Work) -> bool:
        """Count a failure on data; those of an earlier record, which somebody committed, are forgotten.

        Where several units shared the run nobody knows yet whose record it was: each is tried alone first.
        """
        if work.shared:
            work.patience.alone = True
            return False
        at = [r.start for r in work.ranges]
        if at != work.failing_at:
            work.failing_at, work.patience.failures = at, 0
        return work.patience.data_failure(size(work.ranges))

    def _pause(self, work: Work, why: str) -> float:
        seconds = _jittered(work.patience.outage())
        self.diary.paused(work.unit, seconds, why)
        return seconds

    def isolate(self, work: Work, result: Result) -> float:
        """Give the one record up as a dead letter, unless something is away that may be the true cause."""
        if away := servers_away(self.settings):
            return self._pause(work, f"{away}; until then nobody knows whether the record is at fault")
        try:
            give_up(self.settings, self.route, work.ranges, result)
        except Exception as error:  # noqa: BLE001  (every failure becomes a decision)
            return self._not_given_up(work, error)
        self.log.error("dead letter: %s", result.why)
        work.proven = False
        work.patience.succeeded(size(work.ranges))
        self.diary.resumed(work.unit)
        return BREATH_SECONDS

    def _not_given_up(self, work: Work, error: Exception) -> float:
        outcome = classify(error)
        if outcome in {Outcome.STOP, Outcome.DATA}:
            message = f"{work.ranges} could not be made dead letters: {type(error).__name__}: {error}"
            raise StopError(message) from error
        if outcome is Outcome.REPLAN:
            work.taken_up = False  # somebody has moved the progress: look again which record is next
            return _jittered(work.patience.replan())
        return self._pause(work, str(error))


def _jittered(seconds: float) -> float:
    """Spread retries, so that copies that failed together do not come back together."""
    return seconds * random.uniform(0.7, 1.3)  # noqa: S311  (no secret)
