"""The wiring as `prefect.yaml` declares it: which sensor reads which topics for which flow."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
WIRING_FILE = ROOT / "prefect.yaml"


@dataclass(frozen=True, slots=True)
class Route:
    """A sensor's parameters; the flow's name is also its consumer group."""

    name: str
    flow: str
    topics: tuple[str, ...]
    paired: bool = False
    mode: str = "inline"
    records: int | None = None
    """Most records of a slice, where the setting's number would be too many."""
    linger_ms: int | None = None
    """How long to wait for more, where the setting's time is not right (milliseconds)."""
    stalled_after_s: int | None = None
    """How long a run may take before its sensor is unhealthy, where the setting's time is too short."""


@dataclass(frozen=True, slots=True)
class Step:
    """A flow of the loop: what a sensor reads for it, and to which topics it writes."""

    flow: str
    description: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    sensor: str | None
    """None: it begins by a clock or by hand."""


@cache
def deployments() -> list[dict[str, Any]]:
    """Read the deployments of prefect.yaml in their order."""
    return list(yaml.safe_load(WIRING_FILE.read_text())["deployments"])


def deployment_names(tag: str) -> list[str]:
    """Name the deployments that carry a tag."""
    return [d["name"] for d in deployments() if tag in d.get("tags", [])]


def full_name(name: str) -> str:
    """Give a deployment's name as Prefect wants it, `flow/deployment`; a flow is named like its function."""
    entrypoint = next(d["entrypoint"] for d in deployments() if d["name"] == name)
    flow = str(entrypoint).rsplit(".", 1)[-1].replace("_", "-")
    return f"{flow}/{name}"


@cache
def routes() -> tuple[Route, ...]:
    """List every sensor's route."""
    found = []
    for deployment in deployments():
        if "sensor" in deployment.get("tags", []):
            parameters = dict(deployment["parameters"])
            topics = tuple(parameters.pop("topics"))
            found.append(Route(deployment["name"], topics=topics, **parameters))
    return tuple(found)


@cache
def steps() -> tuple[Step, ...]:
    """List the flows that go on by themselves, as prefect.yaml does; a tag names each of their topics."""
    by_flow = {route.flow: route for route in routes()}
    tagged = [one for one in deployments() if {"step", "watch"} & set(one.get("tags", []))]
    return tuple(_step(one, by_flow.get(one["name"])) for one in tagged)


def _step(deployment: dict[str, Any], route: Route | None) -> Step:
    topics = [tag.removeprefix("topic:") for tag in deployment["tags"] if tag.startswith("topic:")]
    reads = route.topics if route else ()
    writes = tuple(topic for topic in topics if topic not in reads)
    told = deployment["description"]
    return Step(deployment["name"], told, reads, writes, route.name if route else None)


@cache
def is_paired(flow: str) -> bool:
    """Tell whether a flow's slices hold the same partition of several topics."""
    return any(route.paired for route in routes() if route.flow == flow)
