"""Commands in processes of their own: what they say last, how long they take, how much memory they hold."""

import json
import resource
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

import psutil

SECONDS = 7_200
LOOK_SECONDS = 0.5
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that came to its end: seconds, and the most MB that it and its children held together."""

    seconds: float
    peak: float
    words: str

    def figures(self) -> dict[str, Any]:
        """Give what is kept of it."""
        told = asdict(self)
        del told["words"]
        return told


def say(message: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(message + "\n")


def run(
    command: list[str],
    environment: dict[str, str] | None = None,
    within: float = SECONDS,
    *,
    watched: bool = False,
) -> Ran:
    """Run a command to its end; its memory is told where it is watched, which takes a little of a processor.

    Raises:
        SystemExit: it failed, with what it said.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watch = Watch(process.pid)
    if watched:
        watch.start()
    try:
        out, errors = process.communicate(timeout=within)
    finally:
        process.kill()  # nothing, once it has ended
    if watched:
        watch.join()
    if process.returncode:
        message = f"{' '.join(command)}\n{out}{errors}"
        raise SystemExit(message)
    return Ran(time.perf_counter() - began, watch.peak / MEGABYTE, out)


def part(module: str, *arguments: object, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a module of the benchmark; returns the JSON of its last line."""
    command = [sys.executable, "-m", module, *(str(one) for one in arguments)]
    say(f"measuring: {' '.join(command[2:])}")
    found: dict[str, Any] = json.loads(run(command, environment).words.splitlines()[-1])
    return found


def tell(figures: dict[str, Any]) -> None:
    """Say a part's figures as its last line."""
    sys.stdout.write(json.dumps(figures) + "\n")


def peak() -> float:
    """Give the most MB that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


class Watch(threading.Thread):
    """Looks, now and then, how much memory a process and its children hold, until it ends."""

    def __init__(self, number: int) -> None:
        """Watch the process of this number."""
        super().__init__(name=f"watching {number}", daemon=True)
        self._number = number
        self.peak = 0
        """Bytes; pages that processes share count for each of them."""

    def run(self) -> None:
        """Look until it is gone."""
        try:
            process = psutil.Process(self._number)
            while process.status() != psutil.STATUS_ZOMBIE:
                self.peak = max(self.peak, _held(process))
                time.sleep(LOOK_SECONDS)
        except psutil.NoSuchProcess:
            return


def _held(process: psutil.Process) -> int:
    held = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            held += one.memory_info().rss
        except psutil.NoSuchProcess:  # a child that has just ended
            continue
    return held
