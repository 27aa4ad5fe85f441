"""Starting a stack in the background, waiting for it, and taking one down, whatever became of it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from infra.errors import StackError
from infra.settings import PROJECT, Settings, inherited_environment
from infra.stack import jars, parts, ports, process, state

START_SECONDS = 300.0
STOP_SECONDS = 75.0
POLL_SECONDS = 0.2


def check(settings: Settings, say: Callable[[str], None]) -> None:
    """Do what has to be right before a start: jars there, ports free.

    Raises:
        StackError: a port is taken, or the jars can't be fetched.
    """
    ports.require_free(settings, parts.local(parts.plan(settings)))
    if settings.kafka_bootstrap is None:
        jars.fetch(settings, jars.BROKER, say)


def launch(settings: Settings) -> psutil.Process:
    """Start a supervisor in a session of its own and return its process."""
    file = process.log_file(settings, "supervisor")
    process.rotate(file)
    home = settings.home.resolve()
    with file.open("ab") as log:
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "infra.stack.supervisor", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=PROJECT,
            env=inherited_environment(),
            start_new_session=True,
        )
    return psutil.Process(child.pid)


def follow(settings: Settings, supervisor: psutil.Process) -> Iterator[state.StackState]:
    """Yield a stack's state while it starts, last when it is up.

    Raises:
        StackError: it did not start, or not within 300 s.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        now = state.read_state(settings.home)
        if now and now.pid == supervisor.pid:
            yield now
            if now.phase == "up":
                return
        if _ended(supervisor):
            raise StackError(_reason(settings, supervisor.pid))
    message = f"the stack was not up within {START_SECONDS:.0f} s: see {settings.home / 'logs'}"
    raise StackError(message)


def _ended(supervisor: psutil.Process) -> bool:
    try:
        supervisor.wait(POLL_SECONDS)
    except psutil.TimeoutExpired:
        return False
    return True


def _reason(settings: Settings, pid: int) -> str:
    last = state.read_state(settings.home)
    if last and last.pid == pid and last.error:
        return last.error
    file = process.log_file(settings, "supervisor")
    return f"the supervisor ended early; the end of {file}:\n{process.tail(file)}"


def take_down(home: Path) -> bool:
    """Stop the stack of a home and whatever a killed supervisor left; tells whether anything ran.

    Raises:
        StackError: something would not end.
    """
    last = state.read_state(home)
    if last is None:
        return False
    supervisor = state.alive(last.pid, last.created)
    if supervisor is not None:
        supervisor.terminate()
        psutil.wait_procs([supervisor], timeout=STOP_SECONDS)
    left = _left(last)
    process.end(left, grace=6.0)
    still = _left(last)
    if still:
        message = f"these processes do not end: {', '.join(str(one.pid) for one in still)}"
        raise StackError(message)
    return supervisor is not None or bool(left)


def _left(last: state.StackState) -> list[psutil.Process]:
    """Find what is left of a stack: by the ids it noted, and by its mark, which flow runs carry too."""
    noted = [state.alive(part.pid, part.created) for part in last.parts.values()]
    found = [state.alive(last.pid, last.created), *noted, *state.members(last.token)]
    return list({one.pid: one for one in found if one is not None}.values())
