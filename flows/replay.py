"""By hand: past slices are taken again and compared with what they published."""

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from events.payloads import OffsetRange
from flows.steps import STEPS
from infra.bootstrap import connect
from tasks.core.markdown import table
from tasks.replaying import Wanted, chosen
from tasks.replaying import replay as take_again


@flow(name="replay")
def replay(
    run_id: str | None = None,
    flow: str | None = None,
    span: OffsetRange | None = None,
    publish: bool = False,
) -> list[dict[str, Any]]:
    """Take the slices of a run again, or those of `flow` that touch `span`, with what they knew then.

    Nothing is published unless `publish` asks for it: then what differs gets the next revision, and what was
    never published is. Returns one entry a slice: counts of identical, different, missing and extra outputs,
    and what each of the last three is.
    """
    loop = connect()
    told = [
        one.as_dict()
        for one in take_again(loop, chosen(loop, Wanted(run_id, flow, span)), STEPS, publish=publish)
    ]
    kinds = ("identical", "different", "missing", "extra")
    rows = [(t["flow"], t["slice"], *(t["counts"].get(k, 0) for k in kinds), t["published"]) for t in told]
    shown = table(("flow", "slice", *kinds, "published"), rows)
    create_markdown_artifact(shown, key="replay", description=f"{len(told)} slices taken again")
    return told
