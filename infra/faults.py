"""Named points at which a test may end or stop this process; nothing happens unless a test armed one.

A point is armed by a file of its name in the folder that the setting `faults` names; the file holds the
action. Whoever reaches the point first takes the file away and acts, so that each fault happens once.
"""

import os
import signal
import sys
from functools import cache
from pathlib import Path

from infra.settings import load_settings

POINTS = (
    "trigger-seen",
    "run-created",
    "run-started",
    "transaction-initialised",
    "offset-read",
    "slice-fetched",
    "validated",
    "state-written",
    "transaction-begun",
    "outputs-produced",
    "offsets-added",
    "commit-sent",
    "commit-acknowledged",
    "run-reported",
)
"""Every step of a slice at which a process may die, in their order."""

BLOCK_POINTS = ("symbols-computed", "block-computed", "block-committed")
"""Where a process may die that computes blocks of symbols for others (tasks/scaling.py), or publishes blocks
of sessions (infra/kafka/blocks.py)."""

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class InjectedError(Exception):
    """What the action `raise` raises: an error that no part of the system knows."""


@cache
def _folder() -> Path | None:
    return load_settings().faults


def reach(point: str, flow: str = "") -> None:
    """Act on a fault that is armed here, for every flow (`point`) or for one (`point.flow`).

    Raises:
        InjectedError: the armed action is `raise`.
    """
    folder = _folder()
    if folder is None:
        return
    for name in (point, f"{point}.{flow}"):
        if action := _take(folder / name):
            _act(action, name)


def _take(file: Path) -> str | None:
    """Claim an armed fault; of several processes that come at once one gets it."""
    claimed = file.with_name(f"{file.name}.{os.getpid()}.taken")
    try:
        file.rename(claimed)
    except FileNotFoundError:
        return None
    return claimed.read_text().strip()


def _act(action: str, name: str) -> None:
    if action == "raise":
        message = f"injected at {name}"
        raise InjectedError(message)
    sys.stderr.write(f"fault: {action} at {name}\n")
    sys.stderr.flush()
    os.kill(os.getpid(), SIGNALS[action])
