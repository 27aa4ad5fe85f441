"""Processes by name, so that somebody later can tell whether one of this machine has ended."""

import os
import socket
from collections.abc import Iterable
from functools import cache

from infra.settings import Settings
from infra.stack import state

TAG, AT, COPY = "host", "at", "copy"


def host_tag() -> str:
    """Name this process as the tag of a run that it creates: `host:MACHINE:PID:SECOND OF ITS BIRTH`."""
    return f"{TAG}:{_name_of(os.getpid())}"


def at_tag() -> str:
    """Name this process as the tag of a run that somebody else created, and that it executes: `at:...`."""
    return f"{AT}:{_name_of(os.getpid())}"


def executed_here(tags: Iterable[str]) -> list[str]:
    """Give a run's tags with this process as the one that executes it, in place of an earlier one."""
    return [*(tag for tag in tags if not tag.startswith(f"{AT}:")), at_tag()]


@cache
def _name_of(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{round(state.birth(pid) or 0)}"


def copy_tag(settings: Settings) -> str:
    """Name this copy of the sensors as a run's tag, the same after a restart, as its member's name is."""
    return f"{COPY}:{settings.copy_name}"


def copies_of(tags: Iterable[str]) -> set[str]:
    """Read which copies tags name."""
    return {tag.partition(":")[2] for tag in tags if tag.startswith(f"{COPY}:")}


def is_gone(tags: Iterable[str], kind: str = TAG) -> bool:
    """Tell whether tags name a process of this machine that has ended; of other machines nothing is known."""
    return any(_ended(*tag.split(":")[1:]) for tag in tags if tag.startswith(f"{kind}:"))


def _ended(machine: str, pid: str = "", born: str = "") -> bool:
    if machine != socket.gethostname() or not pid.isdecimal():
        return False
    return state.alive(int(pid), float(born) if born else None) is None
