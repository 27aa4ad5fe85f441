"""How the stack is, part by part and sensor by sensor."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypedDict

from infra.settings import Settings
from infra.stack import state
from infra.stack.parts import Part, plan

if TYPE_CHECKING:
    from infra.kafka.lag import SensorStatus


class PartStatus(TypedDict):
    """One part as `nepse status --json` shows it."""

    name: str
    url: str | None
    healthy: bool
    version: str


def parts_status(settings: Settings) -> list[PartStatus]:
    """Ask every part whether it is well, all at once; at most as long as the slowest probe."""
    parts = [part for part in plan(settings) if not part.once]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(lambda part: _status(settings, part), parts))


def _status(settings: Settings, part: Part) -> PartStatus:
    healthy = _runs(settings, part) and _answers(settings, part)
    return PartStatus(name=part.name, url=part.url, healthy=healthy, version=part.version)


def _runs(settings: Settings, part: Part) -> bool:
    """Check the process as well as the answer: another stack's server may sit on the same port."""
    if part.external:
        return True
    known = state.read_state(settings.home)
    mine = known.parts.get(part.name) if known else None
    return mine is not None and state.alive(mine.pid, mine.created) is not None


def _answers(settings: Settings, part: Part) -> bool:
    try:
        part.ready(settings)
    except Exception:  # noqa: BLE001 - any failure of any client means: not healthy
        return False
    return True


def sensors_status(settings: Settings) -> "list[SensorStatus]":
    """Ask the broker how far each sensor's group is."""
    from infra.kafka import lag  # noqa: PLC0415 - the Kafka client takes 0.2 s to import

    return lag.sensors(settings)
