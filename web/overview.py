"""How the whole system stands, as the read side and the sensors' own words tell."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from events.topics import TOPICS, Topic
from infra.database.reads import alerts, letters, pipeline
from infra.database.reads.pipeline import Spot
from infra.database.reads.progress import Positions
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.stack.conditions import conditions
from infra.wiring import routes, steps
from tasks.core.shapes import SHAPES
from web import flow_lines
from web.service import Service

_ELSEWHERE = {"FeaturesComputed": "latest_features"}
TABLES = {
    topic.name: tuple({SHAPES[one].table if one in SHAPES else _ELSEWHERE[one]: None for one in topic.events})
    for topic in TOPICS.values()
} | {"dead-letters": ("dead_letters",)}
"""By topic the tables of the read side that hold its events."""


def overview(service: Service, offsets: Positions) -> dict[str, Any]:
    """Tell of topics, flows, sensors, letters and alerts.

    A flow's lag is what the read side knows of a partition beyond the flow's newest slice, in offsets. It is
    as old as the read side: `nepse lag` asks the broker.

    Raises:
        TryAgainError: the database is away.
    """
    settings, told = service.settings, conditions(service.settings)
    lines, now = _lines(service, offsets), datetime.now(UTC)
    open_letters = letters.still_open(service.engine)
    last = pipeline.last_events(service.engine, TABLES)
    return {
        "topics": [_topic(settings, topic, service.version.by_topic(), last) for topic in TOPICS.values()],
        "flows": [
            flow_lines.flow(settings, step, lines[step.flow], told, now)
            | {"open_letters": open_letters.get(step.flow, 0)}
            for step in steps()
        ],
        "sensors": [_sensor(one) for one in told],
        "open_letters": open_letters,
        "alerts": alerts.counts(service.engine),
        "links": {"prefect": settings.prefect_ui, "mlflow": settings.mlflow_ui},
    }


def _lines(service: Service, offsets: Positions) -> dict[str, list[flow_lines.Line]]:
    """List how far each flow is on each partition, by flow."""
    engine, spots = service.engine, spots_of(service.settings)
    commits = pipeline.newest_slices(engine, spots)
    found: dict[str, list[flow_lines.Line]] = defaultdict(list)
    for spot, moments in zip(spots, pipeline.moments(engine, commits, spots, TABLES), strict=True):
        found[spot[0]].append(flow_lines.line(service.settings, spot, commits.get(spot), moments, offsets))
    return found


def spots_of(settings: Settings) -> list[Spot]:
    """List every flow with each partition that it reads."""
    return [
        (route.flow, topic, number)
        for route in routes()
        for topic in route.topics
        for number in range(partitions(settings, topic))
    ]


def _topic(
    settings: Settings, topic: Topic, reached: Mapping[str, int], last: Mapping[str, datetime]
) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "events": topic.events,
        "key": topic.key,
        "partitions": partitions(settings, topic.name),
        "offsets": reached.get(topic.name, 0),
        "last_event": last.get(topic.name),
    }


def _sensor(condition: Any) -> dict[str, Any]:
    told = ("sensor", "copy", "state", "why", "since")
    return {name: getattr(condition, name) for name in told}
