"""The Prefect server and its pages, on Postgres."""

import sys
from importlib.metadata import version

from infra.errors import TryAgainError
from infra.settings import Settings
from infra.stack import probes
from infra.stack.parts import Part

TEMPLATE = {
    "job_configuration": {"env": "{{ env }}", "working_dir": "{{ working_dir }}"},
    "variables": {
        "type": "object",
        "properties": {
            "env": {"type": "object", "title": "Environment variables"},
            "working_dir": {"type": "string", "title": "Working directory"},
        },
    },
}
"""What a deployment may set for its process. The server checks this schema itself whenever a run is created:
Prefect's full template would take half of that request."""


def parts(settings: Settings) -> list[Part]:
    """Describe the Prefect server."""
    port = settings.port(4200)
    # `prefect server start` would import Prefect twice, once for itself: 8.3 s instead of 6.4 s.
    server = (sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app")
    address = ("--host", settings.host, "--port", str(port))
    return [
        Part(
            name="prefect",
            command=(*server, *address, "--log-level", "warning", "--timeout-graceful-shutdown", "3"),
            version=version("prefect"),
            url=settings.prefect_ui,
            environment={
                "PREFECT_API_DATABASE_CONNECTION_URL": settings.postgres("prefect", "postgresql+asyncpg"),
                "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            },
            ports={"Prefect": port},
            needs=("postgres",),
            ready=ready,
            after=create_pool,
            external=settings.prefect_url is not None,
            within=180.0,  # the first start runs all migrations
        )
    ]


def ready(settings: Settings) -> None:
    """Ask the server for its health."""
    probes.get_json(f"{settings.prefect_ui}/api/health")


def create_pool(settings: Settings) -> None:
    """Make the work pool, so that deployments and worker can arrive in any order."""
    pools = f"{settings.prefect_ui}/api/work_pools"
    try:
        probes.get_json(f"{pools}/{settings.work_pool}")
    except TryAgainError:
        new = {"name": settings.work_pool, "type": "process", "base_job_template": TEMPLATE}
        probes.get_json(f"{pools}/", new)
