"""One process of a stack: started with its own log, stopped with all its children."""

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from infra.settings import PROJECT, Settings, inherited_environment
from infra.stack import account
from infra.stack.parts import Part
from infra.stack.state import MEMBER

LOG_BYTES = 5_000_000
TAIL_LINES = 8
KILL_SECONDS = 5.0


def log_file(settings: Settings, name: str) -> Path:
    """Where a part writes."""
    return settings.home.resolve() / "logs" / f"{name}.log"


def tail(file: Path, lines: int = TAIL_LINES) -> str:
    """Read a log's last lines."""
    if not file.exists():
        return ""
    text = file.read_bytes()[-20_000:].decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def rotate(file: Path) -> None:
    """Put a log that has grown over 5 MB aside; one older one is kept."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.replace(file.with_suffix(".log.1"))


def shorten(file: Path) -> None:
    """Do the same while its process goes on writing: to the end of the file, which is then its beginning."""
    if not file.exists() or file.stat().st_size <= LOG_BYTES:
        return
    with file.open("rb+") as log, file.with_suffix(".log.1").open("wb") as aside:
        shutil.copyfileobj(log, aside)
        log.truncate(0)  # what is written in this instant is lost


def environment(settings: Settings, part: Part, token: str) -> dict[str, str]:
    """What a part gets: little of ours, this stack's addresses, its own, and the mark to find it by."""
    folder = settings.home.resolve() / "tmp"  # the shared one is full of names that other accounts own
    folder.mkdir(exist_ok=True)
    stack = {**settings.environment(), "TMPDIR": str(folder), MEMBER: token}
    return {**inherited_environment(), **stack, **part.environment}


def command_line(part: Part) -> list[str]:
    """Put in front of a part's command what makes it end with its supervisor, and the account it needs."""
    command = list(part.command)
    if part.refuses_root:
        command = account.run_as(command, part.refuses_root)
    if shutil.which("setpriv") is None:
        return command
    if command[0] == "setpriv":
        command = command[1:]  # one change of everything: the kernel forgets the signal with the account
        return ["setpriv", f"--pdeathsig={part.stop_signal.name}", *command]
    return ["setpriv", f"--pdeathsig={part.stop_signal.name}", "--", *command]


async def start(settings: Settings, part: Part, token: str) -> asyncio.subprocess.Process:
    """Start a part in a session of its own."""
    file = log_file(settings, part.name)
    rotate(file)
    with file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command_line(part),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(settings, part, token),
            cwd="/" if part.refuses_root else PROJECT,
            start_new_session=True,
        )
    if part.nice:
        _step_back(process.pid, part.nice)
    return process


def _step_back(pid: int, nice: int) -> None:
    """Lower a process's priority; its threads and children, which it has not started yet, inherit it."""
    with suppress(ProcessLookupError):  # it has ended already: whoever awaits it will say so
        os.setpriority(os.PRIO_PROCESS, pid, nice)


async def stop(process: asyncio.subprocess.Process, part: Part) -> None:
    """Ask a part to end, then make it and its children end."""
    family = _family(process.pid)
    _signal_group(process.pid, part.stop_signal)
    try:
        await asyncio.wait_for(process.wait(), part.stop_within)
    except TimeoutError:
        _signal_group(process.pid, signal.SIGKILL)
        await asyncio.wait_for(process.wait(), KILL_SECONDS)
    await asyncio.to_thread(end, family)


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # it has ended by itself


def end(processes: list[psutil.Process], grace: float = 2.0) -> None:
    """Let processes end by themselves, terminate the rest, then kill what is still there."""
    _, left = psutil.wait_procs(processes, timeout=grace / 2)
    _each(left, signal.SIGTERM)
    _, left = psutil.wait_procs(left, timeout=grace / 2)
    _each(left, signal.SIGKILL)
    psutil.wait_procs(left, timeout=KILL_SECONDS)


def _each(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
