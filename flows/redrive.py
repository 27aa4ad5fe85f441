"""By hand: dead letters are tried again by today's code of the flow that refused them."""

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.steps import STEPS
from infra.bootstrap import connect
from tasks.redriving import Choice, chosen, line, retry


@flow(name="redrive")
def redrive(
    ids: list[str] | None = None,
    flow: str | None = None,
    reason: str | None = None,
    every: bool = False,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Try open dead letters again: named by id, by flow, by a part of the reason, or `every` one.

    What follows from a letter is published together with LetterResolved; a letter that fails again stays
    open with one more attempt (LetterRetried). One that was resolved is left alone.
    """
    loop = connect()
    letters = chosen(loop, Choice(tuple(ids or ()), flow, reason, every))
    lines = [line(one, "would be tried") for one in letters] if dry_run else retry(loop, letters, STEPS)
    shown = [one.as_dict() for one in lines]
    create_table_artifact(table=shown[-200:], key="redrive", description=f"{len(shown)} letters looked at")
    return shown
