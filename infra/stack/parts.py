"""What a stack consists of: each server as data, with how to start it and how to know that it is up."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from infra.settings import Settings

Hook = Callable[[Settings], None]


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack, or one step of its start (`once`).

    `ready` returns quietly when the part answers and raises when it doesn't; `before` runs ahead of the
    process, `after` when it is ready for the first time, `gone` when it has been stopped. All of them run
    outside the event loop and may block.
    `refuses_root` names the folders that a server which can't be root has to reach; the others have none.
    """

    name: str
    command: tuple[str, ...]
    version: str
    ready: Hook
    url: str | None = None
    metrics: str | None = None
    """Where it tells its metrics, where it has any."""
    environment: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    before: Hook | None = None
    after: Hook | None = None
    gone: Hook | None = None
    once: bool = False
    external: bool = False
    modules: tuple[str, ...] = ()
    nice: int = 0
    """How far it steps back when the processors are busy (0 to 19): what predicts goes first."""
    within: float = 120.0
    stop_within: float = 10.0
    stop_signal: signal.Signals = signal.SIGTERM
    refuses_root: tuple[Path, ...] = ()


def plan(settings: Settings) -> list[Part]:
    """List the parts of a stack in the order in which they can start."""
    # Imported here, because each of these modules needs `Part`.
    from infra.stack import (  # noqa: PLC0415
        broker,
        database,
        flows_host,
        objects,
        prefect_server,
        tracking,
        web,
    )

    made = (broker, objects, database, prefect_server, tracking, flows_host, web)
    every = [part for module in made for part in module.parts(settings) if present(part)]
    return [part for part in every if not settings.parts or part.name in settings.parts]


def present(part: Part) -> bool:
    """Tell whether every module that the part runs can be found."""
    return all(_found(module) for module in part.modules)


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its package is not there either
        return False


def local(parts: list[Part]) -> list[Part]:
    """Keep what this machine runs; a part whose address is a setting is somebody else's to run."""
    return [part for part in parts if not part.external]


def levels(parts: list[Part]) -> list[list[Part]]:
    """Group parts so that each group needs only earlier ones; what isn't run here counts as there."""
    known = {part.name for part in parts}
    left, done, groups = list(parts), set[str](), list[list[Part]]()
    while left:
        group = [part for part in left if set(part.needs) & known <= done]
        if not group:
            message = f"parts need each other in a circle: {', '.join(part.name for part in left)}"
            raise ValueError(message)
        groups.append(group)
        done |= {part.name for part in group}
        left = [part for part in left if part.name not in done]
    return groups
