"""A sensor: watches topics for one flow and turns what is new into runs, slice by slice."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any, Protocol

from kafka.errors import KafkaError
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from infra import metrics
from infra.errors import SupersededError, TryAgainError, UnstableError
from infra.kafka import checks
from infra.running import stop_signal
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors.diary import Diary, Logger
from sensors.dispatch import Dispatcher, Result
from sensors.failures import Outcome, classify
from sensors.membership import Membership, Offsets
from sensors.plan import Patience, Unit, cut, one_run, size, units
from sensors.settle import Settling, Work
from sensors.suspects import DEATHS, Slices, suspicion

Submit = Callable[[Slices], "Future[Result]"]

IDLE_SECONDS = 0.15
ACTIVE_SECONDS = 0.025
ACTIVE_FOR = 3.0
"""For so many seconds after something happened the next thing is expected soon."""


class Execute(Protocol):
    """What does the slices: runs of a deployment, or a plain function in tests."""

    def __call__(self, ranges: Slices) -> Result:
        """Do the slices and say how it ended; never raises."""

    def deaths(self) -> list[Slices]:
        """List the slices of each earlier attempt that ended with its process. Raises TryAgainError."""

    def release(self, unit: Unit) -> None:
        """End what a process that died left open over a unit. Raises as `infra.kafka.pool.Pool` does."""


@flow(name="sensor", flow_run_name="sensor {flow}", log_prints=True)
def sensor(  # noqa: PLR0913, PLR0917  (the parameters of a deployment)
    flow: str,
    topics: list[str],
    paired: bool = False,
    mode: str = "inline",
    records: int | None = None,
    linger_ms: int | None = None,
    stalled_after_s: int | None = None,
) -> State[Any] | None:
    """Watch `topics` for `flow` until told to stop: new records become slices, slices become runs."""
    settings = load_settings()
    name = f"sensor-{flow}"
    route = Route(name, flow, tuple(topics), paired, mode, records, linger_ms, stalled_after_s)
    try:
        Sensor(settings, route, Dispatcher(settings, route), stop_signal(), get_run_logger()).run()
    except SupersededError as error:
        return Cancelled(name="Superseded", message=str(error))
    except (TryAgainError, KafkaError) as error:  # an outage: no fault of the sensor, which comes back
        return Cancelled(name="Away", message=f"{type(error).__name__}: {error}")
    return None


@contextmanager
def lag_shown(flow: str) -> Iterator[None]:
    """Hide the lag of a flow when its sensor ends, unless in an outage: then it grows, and is asked for."""
    stays = False
    try:
        yield
    except (TryAgainError, KafkaError):
        stays = True
        raise
    finally:
        if not stays:
            metrics.OWNED.leave(flow)


class Sensor:
    """Joins the flow's group for assignment only; the slices commit the offsets."""

    def __init__(self, settings: Settings, route: Route, execute: Execute, stop: Event, log: Logger) -> None:
        """Nothing is connected before `run`; `stop` ends it."""
        self.settings, self.route, self.execute = settings, route, execute
        self.stop, self.log = stop, log
        self.work: dict[Unit, Work] = {}
        linger_ms = settings.slice_linger_ms if route.linger_ms is None else route.linger_ms
        self.linger = linger_ms / 1000
        self.most = route.records or settings.slice_records
        self.last_seen = 0.0
        self.joined = False
        """Before, what the process shows is what was ours when an outage ended the last sensor."""
        self.diary = Diary(settings, route.name, log)
        self.settling = Settling(settings, route, log, self.diary)

    def run(self) -> None:
        """Loop until told to stop.

        Raises:
            SupersededError: another sensor of this copy's name has taken over.
            StopError: a person has to decide.
        """
        with self.diary, lag_shown(self.route.flow):
            checks.require(self.settings, self.route.topics)
            member = Membership(self.settings, self.route)
            threads = ThreadPoolExecutor(self.settings.partitions, thread_name_prefix=self.route.flow)
            try:
                while not self.stop.is_set():
                    self._turn(member, lambda ranges: threads.submit(self.execute, ranges))
            finally:
                # What the worker does goes on without us, and may take an hour.
                threads.shutdown(wait=self.route.mode == "inline", cancel_futures=True)
                member.close()

    def _turn(self, member: Membership, submit: Submit) -> None:
        """Keep the membership, settle what ended, start what is new, rest a moment."""
        member.keep()
        self._follow_assignment(member)
        for work in self.work.values():
            if work.future and work.future.done():
                self.settling.settle(work, work.future.result())
                self.last_seen = time.monotonic()
        now = time.monotonic()
        idle = [w for w in self.work.values() if not w.future and w.not_before <= now]
        self._take_up(member, [work for work in idle if not work.taken_up])
        if ready := [work for work in idle if work.taken_up]:
            self._start(member, ready, submit)
        active = time.monotonic() - self.last_seen < ACTIVE_FOR
        self.stop.wait(ACTIVE_SECONDS if active else IDLE_SECONDS)

    def _follow_assignment(self, member: Membership) -> None:
        """Notice units that became ours, let go of those that did not stay."""
        joined = member.joined()
        mine = units(self.route, member.assigned())
        if joined and not self.joined:
            metrics.OWNED.keep(self.route.flow, [spot for unit in mine for spot in unit])
            self.joined = True
        for unit in [u for u in self.work if u not in mine]:
            self.log.info("%s is no longer ours", unit)
            del self.work[unit]
            metrics.OWNED.leave(self.route.flow, unit)
            self.diary.resumed(unit)
        for unit in mine:
            if unit not in self.work:
                self.work[unit] = Work(unit, Patience(self.most, self.most))

    def _take_up(self, member: Membership, fresh: list[Work]) -> None:
        """Look where the group stands on new units, and what became of earlier attempts at them."""
        if not fresh:
            return
        for work in fresh:
            work.starts = self._progress(member, work.unit)
            member.require_there(work.starts)
        try:
            died = self.execute.deaths()
        except Exception as error:  # noqa: BLE001  (every failure becomes a decision)
            stop = classify(error) is Outcome.STOP
            outcome = Outcome.STOP if stop else Outcome.AGAIN  # no record was looked at yet
            failed = Result(outcome, f"{type(error).__name__}: {error}", error)
            for work in fresh:
                self.settling.settle(work, failed)
            return
        for work in fresh:
            self._remember(work, died)

    def _progress(self, member: Membership, unit: Unit) -> Offsets:
        """Ask where the group stands, without waiting for a dead process's transaction to time out."""
        try:
            return member.progress(unit)
        except UnstableError as error:
            self.log.warning("%s: ending the transaction that may hold it back", error)
            self.execute.release(unit)
            return member.progress(unit)

    def _remember(self, work: Work, died: list[Slices]) -> None:
        """Learn from runs that ended with their process which records are to be handled with care."""
        found = suspicion(work.starts, died)
        work.taken_up, work.proven = True, found.proven
        work.patience.alone = found.deaths > 0
        work.patience.danger = found.among if found.deaths >= DEATHS else 0
        if found.deaths:
            self.log.warning("%d runs ended with their process at %s", found.deaths, work.starts)

    def _start(self, member: Membership, ready: list[Work], submit: Submit) -> None:
        """Cut the next slice of each unit that has news, from the group's stable progress; run them."""
        ends = member.ends([spot for work in ready for spot in work.unit])
        for work in ready:
            work.starts = work.starts or self._progress(member, work.unit)
            if any(ends[spot] < start for spot, start in work.starts.items()):
                member.require_there(work.starts)  # or the ends were told before the progress
            metrics.OWNED.see(self.route.flow, work.starts, ends)
            work.ranges = cut(work.unit, work.starts, ends, work.patience.next_limit)
        news = [work for work in ready if work.ranges]
        lingered = [self._lingered(work) for work in news]  # of all, since each notes when its news came
        if any(lingered):
            for group in self._runs(news):
                self._submit(group, submit)

    def _runs(self, news: list[Work]) -> list[list[Work]]:
        sizes, patiences = [size(work.ranges) for work in news], [work.patience for work in news]
        return [news] if one_run(sizes, patiences, self.most) else [[work] for work in news]

    def _submit(self, group: list[Work], submit: Submit) -> None:
        """Hand the slices over; a record that is known to end the process is given up instead."""
        first = group[0]
        if first.proven:
            why = f"the process ended {DEATHS} times while it worked on this record alone"
            first.starts = {}
            first.not_before = time.monotonic() + self.settling.isolate(first, Result(Outcome.DATA, why))
            return
        future = submit([r for work in group for r in work.ranges])
        for work in group:
            work.future, work.news_since, work.shared = future, None, len(group) > 1

    def _lingered(self, work: Work) -> bool:
        """Wait a little for more records, once, so that a burst becomes one slice."""
        now = self.last_seen = time.monotonic()
        work.news_since = work.news_since or now
        return size(work.ranges) >= work.patience.next_limit or now - work.news_since >= self.linger
