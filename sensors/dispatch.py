"""Turning a slice into a run of its flow: a real, deployment-linked Prefect run, in this warm process."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import httpx
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import PrefectException
from prefect.states import Pending, Scheduled

from events.payloads import OffsetRange
from infra import errors, prefect_runs
from infra.faults import reach
from infra.kafka.records import ranges_label
from infra.wiring import Route

WORKER_SECONDS = 3_600
_TRANSIENT = (errors.TryAgainError, errors.OutcomeUnknownError)
_MOVED = (errors.ReplanError, errors.SupersededError)


class Outcome(Enum):
    """What the sensor has to do next."""

    DONE = "done"
    AGAIN = "again"
    REPLAN = "replan"
    DATA = "data"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended, and why in one sentence."""

    outcome: Outcome
    why: str = ""
    error: BaseException | None = None
    run_id: str = "never created"


def classify(error: BaseException) -> Outcome:
    """Decide by the failure's kind; one that nobody has named is taken for the data's fault."""
    if isinstance(error, errors.StopError):
        return Outcome.STOP
    if isinstance(error, _MOVED):
        return Outcome.REPLAN
    if isinstance(error, (*_TRANSIENT, httpx.HTTPError, ConnectionError, PrefectException)):
        return Outcome.AGAIN
    return Outcome.DATA


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Runs one flow's slices; `cluster` and `topic_ids` make the idempotency keys unambiguous."""

    route: Route
    cluster: str

    def __call__(self, ranges: list[OffsetRange]) -> Result:
        """Create the run, execute it (inline, or by the worker) and say how it ended."""
        try:
            return self._execute(ranges)
        except Exception as error:  # noqa: BLE001  (every failure becomes a decision)
            return Result(classify(error), f"{type(error).__name__}: {error}", error)

    def _execute(self, ranges: list[OffsetRange]) -> Result:
        reach("trigger-seen", self.route.flow)
        if self.route.mode == "inline":
            run = self._new_run(ranges, Pending())
            reach("run-created", self.route.flow)
            state: State[Any] | None = prefect_runs.execute(self._deployment, run, {"slices": ranges})
            reach("run-reported", self.route.flow)
        else:
            run = self._new_run(ranges, Scheduled())
            state = prefect_runs.wait(run.id, WORKER_SECONDS)
        return replace(judge(state), run_id=str(run.id))

    @property
    def _deployment(self) -> str:
        return f"{self.route.flow}/{self.route.flow}"

    def _new_run(self, ranges: list[OffsetRange], state: State[Any]) -> FlowRun:
        """Create a run under the first attempt number that no earlier, started run has used."""
        label = ranges_label(ranges)
        for attempt in range(1, 1_000):
            run = prefect_runs.create_run(
                self._deployment,
                {"slices": [r.model_dump() for r in ranges]},
                state,
                name=f"{self.route.flow} {label}",
                tags=[f"attempt:{attempt}"] if attempt > 1 else [],
                idempotency_key=f"{self.cluster}:{self.route.flow}:{label}:{attempt}",
            )
            if run.state is None or run.state.is_pending() or run.state.is_scheduled():
                return run
        message = f"{self.route.flow} {label} was tried 1000 times"
        raise errors.StopError(message)


def judge(state: State[Any] | None) -> Result:
    """Translate a run's final state, as the engine or the server tells it."""
    if state is None:
        return Result(Outcome.AGAIN, "the run has no state")
    if state.name == "Superseded":
        return Result(Outcome.REPLAN, state.message or "")
    if state.is_completed():
        return Result(Outcome.DONE, state.message or "")
    if state.is_crashed() or state.is_cancelled():
        return Result(Outcome.AGAIN, f"{state.name}: {state.message}")
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
    kind = getattr(errors, named.group(1), None) if named else None
    return kind(message) if kind else RuntimeError(message)
