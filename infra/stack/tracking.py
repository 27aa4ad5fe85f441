"""The MLflow server: registry and runs in Postgres, artifacts straight from client to S3."""

import sys
from importlib.metadata import version

from infra.settings import Settings
from infra.stack import probes
from infra.stack.parts import Part


def parts(settings: Settings) -> list[Part]:
    """Describe the MLflow server."""
    port = settings.port(5000)
    server = (sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--workers", "1")
    address = ("--host", settings.host, "--port", str(port))
    return [
        Part(
            name="mlflow",
            command=(*server, *address, "--log-level", "warning", "--timeout-graceful-shutdown", "3"),
            version=version("mlflow"),
            url=settings.mlflow_ui,
            environment=_environment(settings),
            ports={"MLflow": port},
            needs=("postgres",),
            ready=ready,
            external=settings.mlflow_url is not None,
            within=180.0,  # the first start runs all migrations
        )
    ]


def _environment(settings: Settings) -> dict[str, str]:
    # What `mlflow server` hands to the same uvicorn after importing MLflow once for itself (16 s instead
    # of 8.5 s). The names with an underscore are its own: they hold for the pinned version.
    return {
        "_MLFLOW_SERVER_FILE_STORE": settings.postgres("mlflow"),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": f"s3://{settings.models_bucket}",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def ready(settings: Settings) -> None:
    """Ask for an experiment: `/health` would answer before the tables are there."""
    probes.get_json(f"{settings.mlflow_ui}/api/2.0/mlflow/experiments/get?experiment_id=0")
