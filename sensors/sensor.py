"""A sensor: watches topics for one flow and turns what is new into runs, slice by slice."""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import NoOffsetForPartitionError
from prefect import flow, get_run_logger

from events.payloads import OffsetRange
from infra.errors import StopError, TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.kafka.reading import missing_offset
from infra.running import stopping, wait
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors.dispatch import Dispatcher, Outcome, Result
from sensors.isolate import give_up
from sensors.plan import Patience, Unit, cut, one_run, size, units

Submit = Callable[[list[OffsetRange]], "Future[Result]"]

IDLE_SECONDS = 0.15
ACTIVE_SECONDS = 0.025
ACTIVE_FOR = 3.0
"""For so many seconds after something happened the next thing is expected soon."""
POLL_SECONDS = 0.5
ANSWER_SECONDS = 5.0
OFFSET_SECONDS = 5


@flow(name="sensor", flow_run_name="sensor {flow}", log_prints=True)
def sensor(  # noqa: PLR0913, PLR0917  (the parameters of a deployment)
    flow: str,
    topics: list[str],
    paired: bool = False,
    mode: str = "inline",
    records: int | None = None,
    linger_ms: int | None = None,
) -> None:
    """Watch `topics` for `flow` until told to stop: new records become slices, slices become runs."""
    settings = load_settings()
    Sensor(settings, Route(f"sensor-{flow}", flow, tuple(topics), paired, mode, records, linger_ms)).run()


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


class Sensor:
    """Joins the flow's group for assignment only; the slices commit the offsets."""

    def __init__(self, settings: Settings, route: Route) -> None:
        """Nothing is connected before `run`."""
        self.settings = settings
        self.route = route
        self.work: dict[Unit, Work] = {}
        linger_ms = settings.slice_linger_ms if route.linger_ms is None else route.linger_ms
        self.linger = linger_ms / 1000
        self.most = route.records or settings.slice_records
        self.last_seen = self.polled = 0.0
        self.log = get_run_logger()

    def run(self) -> None:
        """Loop until the process is asked to stop, or a person has to decide (StopError)."""
        consumer = clients.consumer(
            self.settings,
            group=self.route.flow,
            client_id=self.route.name,
            max_poll_interval_ms=86_400_000,
            partition_assignment_strategy=[RangePartitionAssignor],
        )
        dispatcher = Dispatcher(self.route, self.settings.bootstrap)
        threads = ThreadPoolExecutor(self.settings.partitions, thread_name_prefix=self.route.flow)
        try:
            consumer.subscribe(list(self.route.topics))
            while not stopping():
                self._turn(consumer, lambda ranges: threads.submit(dispatcher, ranges))
        finally:
            threads.shutdown(wait=True)
            close(consumer)

    def _turn(self, consumer: KafkaConsumer, submit: Submit) -> None:
        """Keep the membership, settle what ended, start what is new, rest a moment."""
        self._keep_membership(consumer)
        self._follow_assignment(consumer)
        for work in self.work.values():
            if work.future and work.future.done():
                self._settle(work, work.future.result())
        now = time.monotonic()
        if idle := [w for w in self.work.values() if not w.future and w.not_before <= now]:
            self._start(consumer, idle, submit)
        wait(ACTIVE_SECONDS if time.monotonic() - self.last_seen < ACTIVE_FOR else IDLE_SECONDS)

    def _keep_membership(self, consumer: KafkaConsumer) -> None:
        """Poll now and then, without reading: all partitions are paused, since slices read for themselves.

        New records are seen by the end offsets, one small request a turn. Waiting for fetched records instead
        would read everything twice.
        """
        if time.monotonic() - self.polled < POLL_SECONDS:
            return
        self.polled = time.monotonic()
        try:
            answered(partial(consumer.poll, timeout_ms=50), ANSWER_SECONDS, f"poll of {self.route.name}")
        except NoOffsetForPartitionError as error:
            spot = error.args[0] if error.args and isinstance(error.args[0], TopicPartition) else None
            raise StopError(missing_offset(self.route.flow, spot) if spot else str(error)) from error

    def _follow_assignment(self, consumer: KafkaConsumer) -> None:
        """Take up units that became ours, let go of those that did not stay."""
        assigned = set(consumer.assignment())
        if fresh := assigned - consumer.paused():
            consumer.pause(*fresh)
        mine = units(self.route, assigned)
        for unit in [u for u in self.work if u not in mine]:
            self.log.info("%s is no longer ours", unit)
            del self.work[unit]
        for unit in mine:
            if unit not in self.work:
                self.work[unit] = Work(unit, Patience(self.most, self.most))

    def _start(self, consumer: KafkaConsumer, idle: list[Work], submit: Submit) -> None:
        """Cut the next slice of each unit that has news, from the group's stable progress; run them."""
        spots = [spot for work in idle for spot in work.unit]
        ask = partial(consumer.end_offsets, spots, timeout_ms=OFFSET_SECONDS * 1000)
        ends = answered(ask, ANSWER_SECONDS, f"end offsets for {self.route.name}")
        for work in idle:
            work.starts = work.starts or self._progress(consumer, work.unit)
            work.ranges = cut(work.unit, work.starts, ends, work.patience.limit)
        news = [work for work in idle if work.ranges]
        lingered = [self._lingered(work) for work in news]
        if any(lingered):
            for group in self._runs(news):
                self._submit(group, submit)

    def _runs(self, news: list[Work]) -> list[list[Work]]:
        sizes, patiences = [size(work.ranges) for work in news], [work.patience for work in news]
        return [news] if one_run(sizes, patiences, self.most) else [[work] for work in news]

    @staticmethod
    def _submit(group: list[Work], submit: Submit) -> None:
        future = submit([r for work in group for r in work.ranges])
        for work in group:
            work.future, work.news_since = future, None

    def _lingered(self, work: Work) -> bool:
        """Wait a little for more records, once, so that a burst becomes one slice."""
        now = self.last_seen = time.monotonic()
        work.news_since = work.news_since or now
        return size(work.ranges) >= work.patience.limit or now - work.news_since >= self.linger

    def _progress(self, consumer: KafkaConsumer, unit: Unit) -> dict[TopicPartition, int]:
        found = {}
        for spot in unit:
            offset = answered(partial(consumer.committed, spot), ANSWER_SECONDS, f"committed({spot})")
            if offset is None:
                raise StopError(missing_offset(self.route.flow, spot))
            found[spot] = int(offset)
        return found

    def _settle(self, work: Work, result: Result) -> None:
        """Act on how a run ended; the unit is looked at again at once, or after a pause."""
        work.future, pause = None, 0.0
        self.last_seen = time.monotonic()
        if result.outcome is Outcome.DONE:
            work.starts = {TopicPartition(r.topic, r.partition): r.end for r in work.ranges}
            work.patience.succeeded()
        else:
            pause = self._after_failure(work, result)
            work.starts = {}
        work.not_before = self.last_seen + pause

    def _after_failure(self, work: Work, result: Result) -> float:
        """Log the failure with its consequence; returns the seconds to wait."""
        if result.outcome is Outcome.STOP:
            raise StopError(result.why)
        if result.outcome is Outcome.REPLAN:
            self.log.info("planning again: %s", result.why)
            return 0.0
        if result.outcome is Outcome.AGAIN:
            seconds = work.patience.outage() * random.uniform(0.7, 1.3)  # noqa: S311  (jitter, not a secret)
            self.log.warning("paused for %.1f s: %s", seconds, result.why)
            return seconds
        if work.patience.data_failure(size(work.ranges)):
            self._isolate(work, result)
        else:
            self.log.warning("smaller slices, down to %d offsets: %s", work.patience.limit, result.why)
        return 0.2

    def _isolate(self, work: Work, result: Result) -> None:
        try:
            give_up(self.settings, self.route, work.ranges, result)
            self.log.error("dead letter: %s", result.why)
        except TryAgainError as error:
            self.log.warning("could not write the dead letter yet: %s", error)
