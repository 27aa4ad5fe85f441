"""How the whole system stands, as the read side and the sensors' own words tell."""

from collections.abc import Mapping
from typing import Any

from infra.database.reads import alerts, letters, pipeline
from infra.database.reads.pipeline import Commit, Spot
from infra.database.reads.progress import Positions
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.stack.conditions import conditions
from infra.wiring import routes
from web.service import Service


def overview(service: Service, offsets: Positions) -> dict[str, Any]:
    """Tell of topics, flows, sensors, letters and alerts.

    A flow's lag is what the read side knows of a partition beyond the flow's newest slice, in offsets. It is
    as old as the read side: `nepse lag` asks the broker.

    Raises:
        TryAgainError: the database is away.
    """
    spots = spots_of(service.settings)
    commits = pipeline.newest_slices(service.engine, spots)
    return {
        "topics": service.version.by_topic(),
        "flows": [line(service.settings, spot, commits, offsets) for spot in spots],
        "sensors": [_sensor(one) for one in conditions(service.settings)],
        "open_letters": letters.still_open(service.engine),
        "alerts": alerts.counts(service.engine),
        "links": {"prefect": service.settings.prefect_ui, "mlflow": service.settings.mlflow_ui},
    }


def spots_of(settings: Settings) -> list[Spot]:
    """List every flow with each partition that it reads."""
    return [
        (route.flow, topic, number)
        for route in routes()
        for topic in route.topics
        for number in range(partitions(settings, topic))
    ]


def line(
    settings: Settings, spot: Spot, commits: Mapping[Spot, Commit], offsets: Positions
) -> dict[str, Any]:
    """Compare a flow's newest slice on a partition with what the read side knows of it."""
    flow, topic, number = spot
    known, commit = offsets.get((topic, number), 0), commits.get(spot)
    lag = max(0, known - (commit.end if commit else 0))
    return {
        "flow": flow,
        "topic": topic,
        "partition": number,
        "lag": lag,
        "last_commit": commit.at if commit else None,
        "run": settings.run_page(commit.run_id) if commit else None,
    }


def _sensor(condition: Any) -> dict[str, Any]:
    told = ("sensor", "copy", "state", "why", "since")
    return {name: getattr(condition, name) for name in told}
