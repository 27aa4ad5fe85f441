"""By hand: recompute the features of past sessions; predictions and errors follow through the live flows."""

from datetime import date
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from infra.bootstrap import connect
from tasks.backfilling import chosen_sessions, fill
from tasks.reports import table


@flow(name="backfill", flow_run_name="backfill {start} to {end}")
def backfill(
    start: date,
    end: date,
    symbols: list[str] | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Publish the features that are missing for sessions `start` to `end`, or all of them with `force`.

    What is published again gets the next revision, so that nothing is counted twice; each prediction that
    follows is made by the model version valid for its session.
    """
    loop = connect()
    sessions = chosen_sessions(loop, start, end)
    counts = [fill(loop, session, symbols, force=force, dry_run=dry_run) for session in sessions]
    rows = [(c["session"], c["computed"], c["stored"], c["published"]) for c in counts]
    shown = table(("session", "vectors computed", "stored before", "published"), rows)
    create_markdown_artifact(shown, key="backfill", description=f"{len(rows)} sessions looked at")
    return {"sessions": len(rows), "published": sum(row[3] for row in rows), "dry_run": dry_run}
