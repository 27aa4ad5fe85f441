"""Runs that nobody will end any more, whichever machine or worker they were on.

A machine can tell of its own processes only. A container that is made anew, or a worker that was killed,
leaves runs behind that stay Running for ever. The group's progress and its members tell what became of them.
"""

from typing import TYPE_CHECKING

from infra import prefect_runs
from infra.kafka.members import member_name, members
from infra.prefect_orphans import UNDER_WAY, Closed, by_worker, close_each, runs_in, silence
from infra.processes import copies_of
from infra.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

LOST = "nothing was heard of it any more"
"""Not the message of a process that is known to be gone: it is no evidence against any record."""
QUIET_SECONDS = 600.0
"""A run whose state has not changed for so long had the time to tell its end, were it not for its process."""
LOST_SECONDS = 2.0 * prefect_runs.WAIT_SECONDS
"""Nobody awaits a run for longer than half of that."""


def close_lost(
    settings: Settings, deployment: str, group: str | None = None, *, lasting: bool = False
) -> list[Closed]:
    """Close quiet runs of a deployment, wherever they ran: as Completed what the group's progress covers.

    What it does not cover is closed as Crashed once the copy that ran it is no longer in the group, or when
    nothing was heard of it for `LOST_SECONDS`; a `lasting` run, a sensor's own, may be silent for ever.
    Returns what was closed.

    Raises:
        TryAgainError: the Prefect server or the broker does not answer.
        StopError: a slice's group has lost its progress.
    """
    name = group or deployment
    with prefect_runs.at_server(settings):
        quiet = [run for run in runs_in(deployment, UNDER_WAY) if silence(run) > QUIET_SECONDS]
        there = members(settings, name) if quiet else set[str]()

        def why(run: "FlowRun") -> str | None:
            late = not lasting and silence(run) > LOST_SECONDS
            return LOST if late or _is_left(run, name, there) else None

        return close_each(settings, name, quiet, why, LOST)


def _is_left(run: "FlowRun", group: str, there: set[str]) -> bool:
    """Tell whether the copy that ran it is no longer in the group."""
    ours = {member_name(group, copy) for copy in copies_of(run.tags)}
    return not by_worker(run) and bool(ours) and not ours & there
