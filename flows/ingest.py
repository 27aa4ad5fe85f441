"""Step 1: raw price files become sessions, announced on raw-data and actuals."""

from datetime import date
from typing import Any

from prefect import flow, runtime
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from infra.bootstrap import Loop, connect
from infra.inputs import gather
from tasks.ingestion import ingest_all
from tasks.landing import Landing, look, outcome
from tasks.reading import Line, read_sessions, require_some, unread

Lines = list[dict[str, Any]]


def _run_name() -> str:
    return f"ingest {runtime.flow_run.parameters.get('paths') or 'what landed'}"


@flow(name="ingest", flow_run_name=_run_name)
def ingest(
    paths: list[str] | None = None, since: date | None = None, until: date | None = None
) -> Lines | State[Lines]:
    """Read files, folders, patterns or URLs, and announce every new session from `since` to `until`.

    Without `paths` what is new at the landing place (NEPSE_LANDING) is read. Returns one line a file (a
    session, for tables): file, session, accepted, rejected, events, note. What can't be used is told in a
    line of its own; where nothing that was named can, the run fails.
    """
    loop, bounds = connect(), (since or date.min, until or date.max)
    if paths is None:
        return _landed(loop, look(loop), bounds)
    files, unreadable = gather(loop.settings, paths)
    found, refused = read_sessions(files, *bounds)
    refused += unread(unreadable)
    require_some(found, refused)
    return _shown(refused + ingest_all(loop, found))


def _landed(loop: Loop, landing: Landing, bounds: tuple[date, date]) -> State[Lines]:
    """Announce what landed; a file that is refused is told and fails nothing: it is looked at again."""
    found, refused = read_sessions(landing.files, *bounds)
    lines = refused + unread(landing.unreadable) + (ingest_all(loop, found) if found else [])
    return Completed(data=_shown(lines), message=outcome(loop, landing, lines))


def _shown(lines: list[Line]) -> Lines:
    """Show the lines on the run's page, and give them as JSON types."""
    told = [line.as_dict() for line in lines]
    if told:
        create_table_artifact(
            table=told[-200:], key="ingest", description=f"{len(told)} files or sessions read"
        )
    return told
