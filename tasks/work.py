"""From a flow's slices to a committed transaction and a readable end state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prefect import runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from events.payloads import OffsetRange
from infra.bootstrap import Loop, connect
from infra.errors import SupersededError
from infra.kafka.records import Run, ranges_label
from infra.kafka.slices import Slice, open_slice
from tasks.reports import already_committed, summary


@dataclass(frozen=True, slots=True)
class Account:
    """What a flow tells of its slice besides the counts: versions for the ledger, text for people."""

    message: str = ""
    model_versions: list[str] = field(default_factory=list)
    feature_set: str | None = None
    markdown: str = ""


Steps = Callable[[Loop, Slice], Account]


def process(flow: str, slices: list[OffsetRange], steps: Steps) -> State[Any]:
    """Open the slice, take the flow's steps, commit once, report.

    A slice that was committed before is left alone. A newer process's slice ends this one as Superseded.
    """
    loop = connect()
    try:
        with open_slice(loop.pool, this_run(flow), slices) as work:
            if work.done:
                return already_committed(loop.settings, work)
            account = steps(loop, work)
            work.commit(model_versions=account.model_versions, feature_set=account.feature_set)
    except SupersededError as error:
        return Cancelled(name="Superseded", message=str(error))
    return _report(work, account)


def this_run(flow: str) -> Run:
    """Identify the Prefect run that we are in."""
    tags = runtime.flow_run.tags or []
    attempt = next((int(tag.split(":", 1)[1]) for tag in tags if tag.startswith("attempt:")), 1)
    return Run(flow, str(runtime.flow_run.id or "outside-prefect"), attempt)


def _report(work: Slice, account: Account) -> State[Any]:
    """Leave an artifact on the run's page and say in one line what it did."""
    told = ", ".join(f"{count} {what}" for what, count in work.counts.items())
    message = f"{account.message} ({told})" if account.message else told
    key = f"{work.run.flow}-slice"
    create_markdown_artifact(summary(work, account.message, account.markdown), key=key, description=message)
    return Completed(message=message or f"{ranges_label(work.ranges)}: nothing to do")


def run_name() -> str:
    """Name a run after its slices, also when somebody starts it again from the Prefect UI."""
    slices = [OffsetRange.model_validate(s) for s in runtime.flow_run.parameters.get("slices") or []]
    return f"{runtime.flow_run.flow_name} {ranges_label(slices)}"
