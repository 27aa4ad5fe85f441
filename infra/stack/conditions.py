"""What the sensors of this machine say of themselves, in files of the stack's home.

Files, and not a table or a run: they have to be readable while Postgres, Prefect or the broker is away, which
is when somebody wants to know. Copies on other machines are judged by their flow's progress alone.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.settings import Settings
from infra.stack.state import alive, write_private


@dataclass(frozen=True, slots=True)
class Condition:
    """One copy of a sensor: how it is, and why.

    `working`, `paused` (waits), `crashed` (starts again), `stopped` (a person decides) or `ended`.
    """

    sensor: str
    copy: str
    state: str
    why: str
    since: str
    """When it began to be so (ISO-8601, UTC)."""
    pid: int
    born: float | None


def publish(settings: Settings, condition: Condition) -> None:
    """Replace what this copy said before."""
    file = _folder(settings) / f"{condition.sensor}@{condition.copy}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, json.dumps(asdict(condition)))


def conditions(settings: Settings) -> list[Condition]:
    """Read what the living copies of this home said last, and why a sensor stopped that none runs of."""
    found = [Condition(**json.loads(file.read_text())) for file in sorted(_folder(settings).glob("*.json"))]
    living = [one for one in found if alive(one.pid, one.born)]
    run = {one.sensor for one in living}
    return [*living, *(one for one in found if one.state == "stopped" and one.sensor not in run)]


def _folder(settings: Settings) -> Path:
    return settings.home.resolve() / "run" / "sensors"
