"""Runs whose process is gone: closed with what really became of them, and told to whoever plans next.

A run is created, with the name of its process, before it executes. So the runs themselves are the record of
attempts, also of those that ended with the process.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer

from events.payloads import OffsetRange
from infra import prefect_runs
from infra.kafka import clients
from infra.kafka.bounded import close
from infra.kafka.reading import committed, partition_of_range
from infra.processes import is_gone
from infra.settings import Settings
from infra.wiring import full_name

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

GONE = "its process is gone"
MOST_RUNS = 200


@dataclass(frozen=True, slots=True)
class Closed:
    """A run that was closed, and as what: `Completed` (its slices were committed) or `Crashed`."""

    run_id: str
    name: str
    state: str


def close_orphans(settings: Settings, deployment: str, group: str | None = None) -> list[Closed]:
    """Give every run of a deployment whose process is gone its true end; returns what was closed.

    A run whose slices are all committed has done its work; whether they are, the progress of `group` tells,
    which is named like the deployment unless said otherwise. A run that was started again from Prefect's page
    belongs to the worker and is left alone.

    Raises:
        TryAgainError: the Prefect server or the broker does not answer.
        StopError: a slice's group has lost its progress.
    """
    with prefect_runs.at_server(settings):
        orphans = [run for run in _runs(deployment, ["RUNNING", "PENDING"]) if _orphaned(run)]
        if not orphans:
            return []
        reader = clients.consumer(settings, group=group or deployment)
        try:
            return [_close(reader, run) for run in orphans]
        finally:
            close(reader)


def deaths(settings: Settings, deployment: str) -> list[list[OffsetRange]]:
    """List the slices of the newest runs of a deployment that ended with their process.

    Raises:
        TryAgainError: the Prefect server does not answer.
    """
    with prefect_runs.at_server(settings):
        crashed = _runs(deployment, ["CRASHED"])
    return [slices_of(run) for run in crashed if run.state and run.state.message == GONE]


def slices_of(run: "FlowRun") -> list[OffsetRange]:
    """Read the slices among a run's parameters; those of an ingest or a sensor have none."""
    return [OffsetRange.model_validate(one) for one in run.parameters.get("slices", [])]


def _runs(deployment: str, states: list[str]) -> "list[FlowRun]":
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter  # noqa: PLC0415
    from prefect.client.schemas.sorting import FlowRunSort  # noqa: PLC0415

    number, _ = prefect_runs.deployment(full_name(deployment))
    of = DeploymentFilter.model_validate({"id": {"any_": [number]}})
    ended = FlowRunFilter.model_validate({"state": {"type": {"any_": states}}})
    newest = FlowRunSort.EXPECTED_START_TIME_DESC
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            deployment_filter=of, flow_run_filter=ended, sort=newest, limit=MOST_RUNS
        )


def _orphaned(run: "FlowRun") -> bool:
    by_worker = run.infrastructure_pid is not None or run.run_count > 1
    return not by_worker and is_gone(run.tags)


def _close(reader: KafkaConsumer, run: "FlowRun") -> Closed:
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.states import Completed, Crashed  # noqa: PLC0415

    done = _committed(reader, slices_of(run))
    end: Any = Completed(message=f"its slices are committed; {GONE}") if done else Crashed(message=GONE)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, end, force=True)
    return Closed(str(run.id), run.name, end.name)


def _committed(reader: KafkaConsumer, slices: list[OffsetRange]) -> bool:
    """Compare the group's stable progress with the ends of a run's slices."""
    at = committed(reader, slices)
    return bool(slices) and all(at[partition_of_range(one)] >= one.end for one in slices)
