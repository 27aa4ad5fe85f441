"""Model versions for people, read from the models topic; nothing is changed."""

from typing import Any

from infra.errors import RejectError
from infra.kafka.log import TopicLog
from infra.settings import Settings
from tasks.core import versions as told
from tasks.core.lineage import model_url
from tasks.core.offices import Offices


def offices_now(settings: Settings) -> Offices:
    """Read who serves.

    Raises:
        TryAgainError: the broker is away.
    """
    log = TopicLog(settings, "models")
    try:
        entries = log.between(0, log.refresh())
    finally:
        log.close()
    return Offices.of(entries)


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Describe every version, as `tasks.core.versions.rows`; raises as `offices_now`."""
    return [_linked(settings, row) for row in told.rows(offices_now(settings))]


def shown(settings: Settings, version: str) -> dict[str, Any]:
    """Describe one version.

    Raises:
        RejectError: nobody trained it.
        TryAgainError: the broker is away.
    """
    offices = offices_now(settings)
    row = told.row(offices, version)
    if row is None:
        raise RejectError(told.why_unknown(offices, version))
    return _linked(settings, row)


def _linked(settings: Settings, row: dict[str, Any]) -> dict[str, Any]:
    """Add the address of the version's page in MLflow."""
    return row | {"mlflow": model_url(settings.mlflow_ui, settings.model_name, row["version"])}
