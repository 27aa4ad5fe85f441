"""Step 1: raw price files become sessions, announced on raw-data and actuals."""

from datetime import date
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from infra.bootstrap import connect
from infra.inputs import gather
from tasks.ingestion import ingest_all
from tasks.reading import read_sessions, require_some, unread


@flow(name="ingest", flow_run_name="ingest {paths}")
def ingest(paths: list[str], since: date | None = None, until: date | None = None) -> list[dict[str, Any]]:
    """Read files, folders, patterns or URLs, and announce every new session from `since` to `until`.

    Returns one line a file (a session, for tables): file, session, accepted, rejected, events, note. What
    can't be used is told in a line of its own; where nothing can, the run fails.
    """
    loop = connect()
    files, unreadable = gather(loop.settings, paths)
    found, refused = read_sessions(files, since or date.min, until or date.max)
    refused += unread(unreadable)
    require_some(found, refused)
    lines = [line.as_dict() for line in refused + ingest_all(loop, found)]
    create_table_artifact(
        table=lines[-200:], key="ingest", description=f"{len(lines)} files or sessions read"
    )
    return lines
