"""Turning a slice into a run of its flow: a real, deployment-linked Prefect run, in this warm process."""

import re
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.states import Pending, Scheduled

from events.payloads import OffsetRange
from infra import errors, prefect_lost, prefect_orphans, prefect_runs
from infra.bootstrap import connect
from infra.faults import reach
from infra.kafka.identity import identity_tag
from infra.kafka.pool import Pool
from infra.kafka.records import ranges_label
from infra.kafka.slices import transactional_id
from infra.processes import copy_tag, host_tag
from infra.settings import Settings
from infra.wiring import Route
from sensors.failures import AWAY_NAMES, Outcome, classify
from sensors.plan import Unit

WORKER_SECONDS = prefect_runs.WAIT_SECONDS
CLOSED_BY_OTHERS = (prefect_orphans.WORKER_GONE, prefect_orphans.NEVER_BEGAN, prefect_lost.LOST)
"""Nothing is known against the records of such runs: somebody stopped a process, or a machine went away."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended, and why in one sentence."""

    outcome: Outcome
    why: str = ""
    error: BaseException | None = None
    run_id: str = "never created"


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Runs one flow's slices as runs of its deployment; idempotency keys tell which topics they are of."""

    settings: Settings
    route: Route
    tried: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """The last slice of each partition and its attempt, so that a retry does not count from 1."""

    def __call__(self, ranges: list[OffsetRange]) -> Result:
        """Create the run, execute it (inline, or by the worker) and say how it ended."""
        try:
            return self._execute(ranges)
        except PrefectException as error:  # the server's refusal says nothing about the records
            return Result(Outcome.AGAIN, f"{type(error).__name__}: {error}", error)
        except Exception as error:  # noqa: BLE001  (every failure becomes a decision)
            return Result(classify(error), f"{type(error).__name__}: {error}", error)

    def deaths(self) -> list[list[OffsetRange]]:
        """Close the runs whose process is gone, and list the slices that were not committed then.

        Raises:
            TryAgainError: the Prefect server or the broker does not answer.
        """
        prefect_orphans.close_orphans(self.settings, self.route.flow)
        return prefect_orphans.deaths(self.settings, self.route.flow)

    def release(self, unit: Unit) -> None:
        """End the transaction that a dead process left open over a unit, by taking its transactional id.

        Nothing of the unit is under way here; this process's own warm producer is fenced as well, so it goes.
        A worker's run may be alive, and is left alone: its transaction ends by itself, or by its time-out.

        Raises:
            StopError: a number of partitions has changed.
            TryAgainError: no broker.
            OutcomeUnknownError: the client gave no answer.
        """
        if self.route.mode != "inline":
            return
        name = transactional_id(self.route.flow, unit)
        if spare := connect().pool.take_producer(name):
            spare.discard()
        Pool(self.settings).new_producer(name).discard()

    def _execute(self, ranges: list[OffsetRange]) -> Result:
        reach("trigger-seen", self.route.flow)
        if self.route.mode != "inline":
            return self._by_worker(ranges)
        run = self._new_run(ranges, Pending())
        reach("run-created", self.route.flow)
        state = prefect_runs.execute(self._deployment, run, {"slices": ranges})
        reach("run-reported", self.route.flow)
        return replace(judge(state), run_id=str(run.id))

    def _by_worker(self, ranges: list[OffsetRange]) -> Result:
        """Await the worker's run of a slice: one that is under way already, or a new one."""
        run = self._under_way(ranges) or self._new_run(ranges, Scheduled())
        look = partial(prefect_orphans.close_orphans, self.settings, self.route.flow)
        found = judge(prefect_runs.wait(run.id, WORKER_SECONDS, look))
        done = prefect_orphans.slices_of(run)
        if done != ranges:  # what came meanwhile is not its work
            found = Result(Outcome.REPLAN, f"an earlier run of {ranges_label(done)} has ended")
        return replace(found, run_id=str(run.id))

    def _under_way(self, ranges: list[OffsetRange]) -> FlowRun | None:
        """Find the run that an earlier sensor left to the worker: it begins where this slice begins."""
        tag, starts = self._topics_tag(ranges), _starts(ranges)
        for run in prefect_orphans.runs_in(self.route.flow, ["SCHEDULED", "PENDING", "RUNNING"]):
            if tag in run.tags and _starts(prefect_orphans.slices_of(run)) == starts and _is_awaited(run):
                return run
        return None

    def _topics_tag(self, ranges: list[OffsetRange]) -> str:
        return identity_tag(self.settings, {r.topic for r in ranges})

    @property
    def _deployment(self) -> str:
        return f"{self.route.flow}/{self.route.flow}"

    def _new_run(self, ranges: list[OffsetRange], state: State[Any]) -> FlowRun:
        """Create a run under the first attempt number that no earlier, started run has used."""
        label, topics = ranges_label(ranges), self._topics_tag(ranges)
        ours = [host_tag(), copy_tag(self.settings)] if self.route.mode == "inline" else []
        first = (ranges[0].topic, ranges[0].partition)
        known, begun = self.tried.get(first, (label, 1))
        for attempt in count(begun if known == label else 1):
            self.tried[first] = label, attempt
            run = prefect_runs.create_run(
                self._deployment,
                {"slices": [r.model_dump() for r in ranges]},
                state,
                name=f"{self.route.flow} {label}",
                tags=[*([f"attempt:{attempt}"] if attempt > 1 else []), *ours, topics],
                idempotency_key=f"{topics}:{self.route.flow}:{label}:{attempt}",
            )
            if _is_ours(run, ours):
                break
        return run


def _is_ours(run: FlowRun, ours: list[str]) -> bool:
    """Tell whether a run is new: a repeated key gives back the earlier run, whatever became of it."""
    waiting = run.state is None or run.state.is_pending() or run.state.is_scheduled()
    return waiting and set(ours) <= set(run.tags)


def _starts(ranges: list[OffsetRange]) -> dict[tuple[str, int], int]:
    return {(r.topic, r.partition): r.start for r in ranges}


def _is_awaited(run: FlowRun) -> bool:
    """Tell whether a run may still end by itself; one that is at it for too long has lost its process."""
    if run.state is None or run.state.is_scheduled():
        return True
    return prefect_orphans.silence(run) < WORKER_SECONDS


def judge(state: State[Any] | None) -> Result:
    """Translate a run's final state, as the engine or the server tells it."""
    if state is None:
        return Result(Outcome.AGAIN, "the run has no state")
    if state.name == "Superseded":
        why = state.message or ""
        return Result(Outcome.REPLAN, why, errors.SupersededError(why))
    if state.is_completed():
        return Result(Outcome.DONE, state.message or "")
    if state.is_crashed() or state.is_cancelled():
        by_itself = state.is_crashed() and state.message not in CLOSED_BY_OTHERS
        ended = Outcome.CRASHED if by_itself else Outcome.AGAIN
        return Result(ended, f"{state.name}: {state.message}")
    error = _error_of(state)
    return Result(classify(error), f"{type(error).__name__}: {error}", error)


def _error_of(state: State[Any]) -> BaseException:
    """Recover the exception: from the engine as it is, from a worker's run by its class name."""
    if isinstance(state.data, BaseException):
        return state.data
    message = state.message or "failed without a message"
    data = getattr(state.data, "_cache", None) or getattr(state.data, "result", None)
    if isinstance(data, BaseException):
        return data
    named = re.search(r"\b(\w+Error)\b:? ?(.*)", message)
    name = named.group(1) if named else ""
    kind = getattr(errors, name, errors.TryAgainError if name in AWAY_NAMES else RuntimeError)
    return kind(message)
