"""A disk that is full for one part of a stack, on any Linux machine and without privileges."""

import resource
import time
from pathlib import Path

import psutil

from infra.settings import Settings
from infra.stack import state

LOOK_SECONDS = 0.02
ROOM = 64 * 1024


def hold_full(settings: Settings, part: str, limit: int, seconds: float) -> None:
    """Refuse a part every write beyond `limit` bytes of a file, and whoever is started in its place."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _limit(settings, part, limit)
        time.sleep(LOOK_SECONDS)


def free(settings: Settings, part: str) -> None:
    """Let the part write again."""
    _limit(settings, part, resource.RLIM_INFINITY)


def nearly_all(folder: Path) -> int:
    """Give the size up to which files may still grow: a little more than the longest of them has."""
    return max(file.stat().st_size for file in folder.glob("features-*/*.log")) + ROOM


def _limit(settings: Settings, part: str, limit: int) -> None:
    known = state.read_state(settings.home)
    pid = known.parts[part].pid if known else None
    if pid is not None and psutil.pid_exists(pid):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))
