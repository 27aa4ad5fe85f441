"""Processes under test: found by the part that they are, killed, frozen, or kept away for a while."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from infra.settings import Settings
from infra.stack import state

RECOVERY_SECONDS = 45.0
SETTLE_SECONDS = 150.0
REACH_SECONDS = 60.0
LOOK_SECONDS = 0.2
COMMAND_SECONDS = 90.0


class Parts:
    """The parts of a running stack."""

    settings: Settings

    def part(self, name: str) -> psutil.Process:
        """Find the process of a part of the stack, once it runs."""
        found: list[psutil.Process] = []

        def there() -> bool:
            known = state.read_state(self.settings.home)
            one = known.parts.get(name) if known else None
            process = state.alive(one.pid, one.created) if one else None
            found.extend([process] if process else [])
            return bool(found)

        until(there, REACH_SECONDS, f"a process of {name}")
        return found[0]

    def kill(self, name: str) -> None:
        """Kill a part with all its children, as the kernel does when memory runs out."""
        each(self.part(name), signal.SIGKILL)

    @contextmanager
    def hung(self, name: str) -> Iterator[None]:
        """Let a part neither answer nor end while the block lasts."""
        process = self.part(name)
        each(process, signal.SIGSTOP)
        try:
            yield
        finally:
            each(process, signal.SIGCONT)

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Let a part be gone while the block lasts: who would start it again is asleep."""
        known = state.read_state(self.settings.home)
        assert known
        supervisor = psutil.Process(known.pid)
        supervisor.suspend()
        try:
            self.kill(name)
            yield
        finally:
            supervisor.resume()


def ended(command: list[str]) -> int:
    """Run a command to its end; returns its code, negative where a signal ended it."""
    return subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS, check=False).returncode


def each(process: psutil.Process, number: signal.Signals) -> None:
    """Signal a process and its children, the parent first."""
    for one in [process, *process.children(recursive=True)]:
        with suppress(ProcessLookupError):
            os.kill(one.pid, number)


def until(done: Callable[[], bool], seconds: float, what: str, why: Sequence[object] = ()) -> None:
    """Wait for a condition, not longer than `seconds`; `why` fills with what stood in its way."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what} took more than {seconds:g} s {why[-1:]}"
        time.sleep(LOOK_SECONDS)
