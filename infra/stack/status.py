"""How the stack is, part by part and sensor by sensor."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from infra.settings import Settings
from infra.stack import state
from infra.stack.conditions import Condition, conditions
from infra.stack.parts import Part, plan
from infra.wiring import Route, routes

if TYPE_CHECKING:
    from infra.kafka.lag import Progress, Standing

LAGGING_SECONDS = 15.0
"""A sensor whose oldest record has waited for longer lags; the rule `lagging_seconds` says the same."""


class PartStatus(TypedDict):
    """One part as `nepse status --json` shows it."""

    name: str
    url: str | None
    metrics: str | None
    healthy: bool
    version: str


class SensorStatus(TypedDict):
    """One sensor: its flow, records not yet committed, the last commit (ISO-8601, UTC), and its health."""

    name: str
    flow: str
    lag: int
    last_commit: str | None
    healthy: bool
    why: str | None
    """Why it is unhealthy, or what it waits for, or that it lags."""


def parts_status(settings: Settings) -> list[PartStatus]:
    """Ask every part whether it is well, all at once; at most as long as the slowest probe."""
    parts = [part for part in plan(settings) if not part.once]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(lambda part: _status(settings, part), parts))


def _status(settings: Settings, part: Part) -> PartStatus:
    healthy = _runs(settings, part) and answers(settings, part)
    return PartStatus(
        name=part.name, url=part.url, metrics=part.metrics, healthy=healthy, version=part.version
    )


def _runs(settings: Settings, part: Part) -> bool:
    """Check the process as well as the answer: another stack's server may sit on the same port."""
    if part.external:
        return True
    known = state.read_state(settings.home)
    mine = known.parts.get(part.name) if known else None
    return mine is not None and state.alive(mine.pid, mine.created) is not None


def answers(settings: Settings, part: Part) -> bool:
    """Tell whether a server, here or elsewhere, answers now."""
    try:
        part.ready(settings)
    except Exception:  # noqa: BLE001 - any failure of any client means: not healthy
        return False
    return True


def sensors_status(settings: Settings) -> list[SensorStatus]:
    """Ask the broker how far each sensor's flow is, and the sensors of this machine how they are."""
    from infra.kafka import lag  # noqa: PLC0415 - the Kafka client takes 0.2 s to import

    far, told = lag.progress(settings), conditions(settings)
    now = datetime.now(UTC)
    return [
        sensor_status(settings, route, far[route.flow], [c for c in told if c.sensor == route.name], now)
        for route in routes()
    ]


def sensor_status(
    settings: Settings, route: Route, far: "Progress", told: list[Condition], now: datetime
) -> SensorStatus:
    """Judge a sensor by its flow's progress, and by what its copies say when they stopped or wait."""
    ill = next((one for one in told if one.state == "stopped"), None)
    waits = next((one for one in told if one.state in {"paused", "crashed"}), None)
    speaks = ill or waits
    said = f"{speaks.state} since {speaks.since}: {speaks.why}" if speaks else None
    limit = route.stalled_after_s or settings.stalled_after_s
    stalled = _stalled(far, limit, now)
    last = far.last_commit.isoformat(timespec="milliseconds") if far.last_commit else None
    return SensorStatus(
        name=route.name,
        flow=route.flow,
        lag=far.lag,
        last_commit=last,
        healthy=stalled is None and ill is None,
        why="; ".join(filter(None, (stalled or _lagging(longest_wait(route, far)), said))) or None,
    )


def longest_wait(route: Route, far: "Progress") -> "Standing | None":
    """Name the partition whose oldest record has waited for longest, where a flow lags; None where not."""
    limit = route.stalled_after_s or LAGGING_SECONDS
    late = (one for one in far.standings if one.lag and one.waited_s > limit)
    return max(late, key=lambda one: one.waited_s, default=None)


def _lagging(worst: "Standing | None") -> str | None:
    if worst is None:
        return None
    where = f"{worst.topic}-{worst.partition}"
    return f"lagging: {worst.lag} records of {where} wait, the oldest for {worst.waited_s:.0f} s"


def _stalled(far: "Progress", limit: int, now: datetime) -> str | None:
    """Say that records of a partition have waited, and none was committed, for too long; None if all is well.

    Partitions are judged each for itself: one that never gets on is not well because the others do.
    """
    worst = far.longest_stuck(now)
    stuck, where = worst.stuck_s(now), f"{worst.topic}-{worst.partition}"
    return (
        f"{worst.lag} records of {where} wait, nothing was committed for {stuck:.0f} s"
        if stuck > limit
        else None
    )
