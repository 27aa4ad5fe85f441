"""Runs whose process is gone: closed with what really became of them, and told to whoever plans next.

A run is created, with the name of its process, before it executes. So the runs themselves are the record of
attempts, also of those that ended with the process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer

from events.payloads import OffsetRange
from infra import prefect_runs
from infra.kafka import clients
from infra.kafka.bounded import close
from infra.kafka.identity import is_of, tagged
from infra.kafka.reading import committed, partition_of_range
from infra.processes import AT, TAG, is_gone
from infra.settings import Settings
from infra.wiring import full_name

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

GONE = "its process is gone"
NEVER_BEGAN = "its process was gone before it began"
"""Such a run has read no record, and so no record can have ended its process."""
WORKER_GONE = "its worker's process is gone"
"""Nothing against its records: a training is long, and somebody may stop its worker twice."""
PENDING_SECONDS = 120.0
"""A worker starts a run's process within seconds, or has ended in between."""
STARTING_SECONDS = 5.0
"""Within them a worker's run has told which process executes it."""
UNDER_WAY = ("RUNNING", "PENDING")
MOST_RUNS = 200

Why = Callable[["FlowRun"], str | None]
"""Says why a run that did not do its work has crashed; None: it may still be at it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A run that was closed, and as what: `Completed` (its slices were committed) or `Crashed`."""

    run_id: str
    name: str
    state: str


def close_orphans(settings: Settings, deployment: str, group: str | None = None) -> list[Closed]:
    """Give every run of a deployment whose process was this machine's and is gone its true end.

    A run whose slices are all committed has done its work; whether they are, the progress of `group` tells,
    which is named like the deployment unless said otherwise. A run that was started again from Prefect's page
    belongs to the worker, and to the process in which the worker executes it. Returns what was closed.

    Raises:
        TryAgainError: the Prefect server or the broker does not answer.
        StopError: a slice's group has lost its progress.
    """
    with prefect_runs.at_server(settings):
        orphans = [run for run in runs_in(deployment, UNDER_WAY) if _orphaned(run)]
        return close_each(settings, group or deployment, orphans, _why_gone)


def deaths(settings: Settings, deployment: str) -> list[list[OffsetRange]]:
    """List the slices of the newest runs of a deployment that had begun and ended with their process.

    Those of a topic that was made anew since held other records, and are left out.

    Raises:
        TryAgainError: the Prefect server or the broker does not answer.
    """
    with prefect_runs.at_server(settings):
        crashed = [run for run in runs_in(deployment, ["CRASHED"]) if run.state and run.state.message == GONE]
    return [slices for run in crashed if is_of(settings, run.tags, _topics(slices := slices_of(run)))]


def slices_of(run: "FlowRun") -> list[OffsetRange]:
    """Read the slices among a run's parameters; those of an ingest or a sensor have none."""
    return [OffsetRange.model_validate(one) for one in run.parameters.get("slices", [])]


def runs_in(deployment: str, states: "tuple[str, ...] | list[str]") -> "list[FlowRun]":
    """List the newest runs of a deployment that are in one of these kinds of state, newest first."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter  # noqa: PLC0415
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415

    number, _ = prefect_runs.deployment(full_name(deployment))
    of = DeploymentFilter.model_validate({"id": {"any_": [number]}})
    wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": list(states)}}})
    newest = FlowRunSort.EXPECTED_START_TIME_DESC
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            deployment_filter=of, flow_run_filter=wanted, sort=newest, limit=MOST_RUNS
        )


def close_each(
    settings: Settings, group: str, runs: "list[FlowRun]", why: Why, known: str = GONE
) -> list[Closed]:
    """Close runs as Completed where the group's progress covers them, as Crashed where `why` says so.

    What is `known` of their processes goes into the message of the completed ones.
    """
    if not runs:
        return []
    reader = clients.consumer(settings, group=group)
    try:
        done = {run.id: _committed(settings, reader, run) for run in runs}
    finally:
        close(reader)
    ends = [(run, _end_of(known if done[run.id] else None, why(run))) for run in runs]
    return [_close(run, end) for run, end in ends if end is not None]


def by_worker(run: "FlowRun") -> bool:
    """Tell whether a worker executes a run, or did so last."""
    return run.infrastructure_pid is not None or run.run_count > 1


def silence(run: "FlowRun") -> float:
    """Tell for how many seconds a run has been in its state."""
    return (datetime.now(UTC) - run.state.timestamp).total_seconds() if run.state else 0.0


def _orphaned(run: "FlowRun") -> bool:
    """Judge a run that a worker has taken only after a while: its tags name an earlier process until then."""
    nobodys = not any(tag.startswith(f"{TAG}:") for tag in run.tags)
    if nobodys and run.state and run.state.is_pending():
        return silence(run) > PENDING_SECONDS
    if by_worker(run):
        return is_gone(run.tags, AT) and silence(run) > STARTING_SECONDS
    return is_gone(run.tags)


def _why_gone(run: "FlowRun") -> str:
    if run.state and run.state.is_pending():
        return NEVER_BEGAN
    return WORKER_GONE if by_worker(run) else GONE


def _end_of(done: str | None, why: str | None) -> Any:
    from prefect.states import Completed, Crashed  # noqa: PLC0415

    if done:
        return Completed(message=f"its slices are committed; {done}")
    return Crashed(message=why) if why else None


def _close(run: "FlowRun", end: Any) -> Closed:
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, end, force=True)
    return Closed(str(run.id), run.name, end.name)


def _committed(settings: Settings, reader: KafkaConsumer, run: "FlowRun") -> bool:
    """Compare the group's stable progress with the ends of a run's slices, if they are of these topics."""
    slices = slices_of(run)
    if not slices or (tagged(run.tags) and not is_of(settings, run.tags, _topics(slices))):
        return False
    at = committed(reader, slices)
    return all(at[partition_of_range(one)] >= one.end for one in slices)


def _topics(slices: list[OffsetRange]) -> set[str]:
    return {one.topic for one in slices}
