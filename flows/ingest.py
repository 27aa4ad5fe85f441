"""Step 1: raw price files become sessions, announced on raw-data and actuals."""

from datetime import date
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from infra.bootstrap import connect
from infra.inputs import read_inputs
from tasks.ingestion import ingest_all, read_sessions


@flow(name="ingest", flow_run_name="ingest {paths}")
def ingest(paths: list[str], since: date | None = None, until: date | None = None) -> list[dict[str, Any]]:
    """Read files, folders, patterns or URLs, and announce every new session from `since` to `until`.

    Returns one line a file (a session, for tables): file, session, accepted, rejected, events, note.
    """
    loop = connect()
    found, refused = read_sessions(read_inputs(loop.settings, paths), since, until)
    lines = [line.as_dict() for line in refused + ingest_all(loop, found)]
    create_table_artifact(
        table=lines[-200:], key="ingest", description=f"{len(lines)} files or sessions read"
    )
    return lines
