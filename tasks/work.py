"""From a flow's slices to committed transactions and a readable end state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prefect import runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from events.payloads import OffsetRange
from infra.bootstrap import Loop, connect
from infra.errors import SupersededError
from infra.faults import reach
from infra.kafka.records import Run, ranges_label
from infra.kafka.slices import open_slice
from infra.kafka.work import Work
from infra.logs import about
from infra.processes import executed_here, host_tag
from infra.wiring import is_paired
from tasks.core.grouping import apart
from tasks.reports import Done, already_committed, links, summary, told


@dataclass(frozen=True, slots=True)
class Account:
    """What a flow tells of its slice besides the counts: versions for the ledger, text for people."""

    message: str = ""
    model_versions: list[str] = field(default_factory=list)
    feature_set: str | None = None
    markdown: str = ""


Steps = Callable[[Loop, Work], Account]


def process(flow: str, slices: list[OffsetRange], steps: Steps) -> State[Any]:
    """Take the flow's steps for each slice, commit each once, report.

    A slice that was committed before is left alone. A newer process's slice ends the run as Superseded; what
    was committed until then stays, since every slice is a transaction of its own.
    """
    loop, run = connect(), this_run(flow)
    reach("run-started", flow)
    name_run(f"{flow} {ranges_label(slices)}")
    try:
        done = [_one(loop, run, ranges, steps) for ranges in apart(slices, is_paired(flow))]
    except SupersededError as error:
        return Cancelled(name="Superseded", message=str(error))
    fresh = [part for part in done if part.fresh]
    return _report(flow, fresh) if fresh or not done else already_committed(loop.settings, done)


def _one(loop: Loop, run: Run, ranges: list[OffsetRange], steps: Steps) -> Done:
    with about(run_id=run.run_id, slice=ranges_label(ranges)), open_slice(loop.pool, run, ranges) as work:
        if work.done:
            return Done.before(work)
        seen = loop.as_of()
        account = steps(seen, work)  # steps 3 to 5: the flow reads, then computes, with no transaction open
        work.commit(  # step 6; on any failure, here or above, `open_slice` takes step 7
            model_versions=account.model_versions, feature_set=account.feature_set, looked_up=seen.looked_up
        )
        pages = links(loop.settings, work, account.model_versions)
        return Done(work.ranges, dict(work.counts), work.delay, account.message, account.markdown, pages)


def this_run(flow: str) -> Run:
    """Identify the Prefect run that we are in."""
    tags = runtime.flow_run.tags or []
    attempt = next((int(tag.split(":", 1)[1]) for tag in tags if tag.startswith("attempt:")), 1)
    return Run(flow, str(runtime.flow_run.id or "outside-prefect"), attempt)


def name_run(name: str) -> None:
    """Name a run after its slices and after the process that executes it, where it has not been from birth.

    A sensor's own runs have both: Prefect's `flow_run_name` would cost a request to the server in every run.
    """
    if not runtime.flow_run.id:
        return
    tags, changes = runtime.flow_run.tags or [], dict[str, Any]()
    if runtime.flow_run.name != name:
        changes["name"] = name
    if host_tag() not in tags:
        changes["tags"] = executed_here(tags)
    if changes:
        with get_client(sync_client=True) as client:
            client.update_flow_run(runtime.flow_run.id, **changes)


def _report(flow: str, done: list[Done]) -> State[Any]:
    """Leave an artifact on the run's page and say in one line what it did."""
    message = told(done)
    create_markdown_artifact(summary(flow, done), key=f"{flow}-slice", description=message)
    return Completed(message=message or "nothing to do")
