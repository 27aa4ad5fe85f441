"""How a flow stands: on each partition that it reads, and as a whole, with its sensor's health."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from infra.database.reads.pipeline import Commit, Moments, Spot
from infra.database.reads.progress import Positions
from infra.kafka.lag import Progress, Standing
from infra.settings import Settings
from infra.stack.conditions import Condition
from infra.stack.status import longest_wait, sensor_status
from infra.wiring import Step, routes
from tasks.core.lineage import model_url

Line = dict[str, Any]


def line(settings: Settings, spot: Spot, commit: Commit | None, moments: Moments, offsets: Positions) -> Line:
    """Compare a flow's newest slice on a partition with what the read side knows of it.

    Offsets count transaction markers too: only where an event waits they are a lag.
    """
    flow, topic, number = spot
    behind = max(0, offsets.get((topic, number), 0) - (commit.end if commit else 0))
    return {
        "flow": flow,
        "topic": topic,
        "partition": number,
        "lag": behind if moments.waiting else 0,
        "waiting_since": moments.waiting,
        "last_commit": commit.at if commit else None,
        "latency_s": _latency(commit, moments),
        "run": settings.run_page(commit.run_id) if commit else None,
        "models": [_model(settings, version) for version in (commit.models or () if commit else ())],
    }


def _latency(commit: Commit | None, moments: Moments) -> float | None:
    if commit is None or commit.worked_at is None or moments.began is None:
        return None
    return max(0.0, (commit.worked_at - moments.began).total_seconds())


def _model(settings: Settings, version: str) -> dict[str, str | None]:
    return {"version": version, "url": model_url(settings.mlflow_ui, settings.model_name, version)}


def flow(
    settings: Settings, step: Step, lines: Sequence[Line], told: Iterable[Condition], now: datetime
) -> dict[str, Any]:
    """Sum a flow's partitions up: the longest wait and the slowest partition tell how it is."""
    newest = max((one for one in lines if one["last_commit"]), key=lambda one: one["last_commit"], default={})
    known = newest.get
    state, why = _health(settings, step, lines, told, now)
    return {
        "flow": step.flow,
        "description": step.description,
        "reads": step.reads,
        "writes": step.writes,
        "sensor": step.sensor,
        "state": state,
        "why": why,
        "lag": sum(one["lag"] for one in lines),
        "waiting_since": min((one["waiting_since"] for one in lines if one["waiting_since"]), default=None),
        "last_commit": known("last_commit"),
        "latency_s": max((one["latency_s"] for one in lines if one["latency_s"] is not None), default=None),
        "run": known("run"),
        "models": known("models", []),
        "partitions": lines,
    }


def _health(
    settings: Settings, step: Step, lines: Sequence[Line], told: Iterable[Condition], now: datetime
) -> tuple[str | None, str | None]:
    """Judge by progress and by what the copies of the sensor say, as `nepse status` does.

    Returns:
        `stopped`, `stuck`, `paused`, `lagging`, `working`, `idle` (nothing ever came) or `well`, and why;
        None where no sensor reads for the flow.
    """
    route = next((one for one in routes() if one.name == step.sensor), None)
    if route is None:
        return None, None
    mine = [one for one in told if one.sensor == route.name]
    far = Progress(tuple(_standing(one, now) for one in lines))
    judged = sensor_status(settings, route, far, mine, now)
    lags = longest_wait(route, far) is not None
    return _state({one.state for one in mine}, far, healthy=judged["healthy"], lags=lags), judged["why"]


def _state(said: set[str], far: Progress, *, healthy: bool, lags: bool) -> str:
    found = (
        ("stopped", "stopped" in said),
        ("stuck", not healthy),
        ("paused", bool(said & {"paused", "crashed"})),
        ("lagging", lags),
        ("working", far.lag > 0),
        ("idle", far.last_commit is None),
    )
    return next((name for name, holds in found if holds), "well")


def _standing(one: Line, now: datetime) -> Standing:
    since = one["waiting_since"]
    waited = max(0.0, (now - since).total_seconds()) if since else 0.0
    return Standing(one["topic"], one["partition"], one["lag"], waited, one["last_commit"])
