"""Keep the read side in Postgres up to date with all topics."""

from prefect import flow

from infra.running import stop_signal
from infra.settings import load_settings
from tasks.projections import follow_read_side


@flow(name="project-read-side", log_prints=False)
def project_read_side() -> None:
    """Project committed events of all topics into Postgres tables; runs until the process stops."""
    follow_read_side(load_settings(), stop_signal())
