"""Processes by name, so that somebody later can tell whether one of this machine has ended."""

import os
import socket
from collections.abc import Iterable
from functools import cache

from infra.stack import state

TAG = "host"


def host_tag() -> str:
    """Name this process as a run's tag: `host:MACHINE:PID:SECOND OF ITS BIRTH`."""
    return _tag_of(os.getpid())


@cache
def _tag_of(pid: int) -> str:
    return f"{TAG}:{socket.gethostname()}:{pid}:{round(state.birth(pid) or 0)}"


def is_gone(tags: Iterable[str]) -> bool:
    """Tell whether tags name a process of this machine that has ended; of other machines nothing is known."""
    return any(_ended(*tag.split(":")[1:]) for tag in tags if tag.startswith(f"{TAG}:"))


def _ended(machine: str, pid: str = "", born: str = "") -> bool:
    if machine != socket.gethostname() or not pid.isdecimal():
        return False
    return state.alive(int(pid), float(born) if born else None) is None
