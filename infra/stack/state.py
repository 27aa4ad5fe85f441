"""What a stack's home remembers: its secrets, its lock, and who runs in it."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.errors import StackError
from infra.settings import SETTINGS_FILE, Settings, load_settings

SECRETS = ("NEPSE_S3_SECRET_KEY", "NEPSE_DATABASE_PASSWORD", "NEPSE_API_TOKEN")
MEMBER = "NEPSE_STACK_MEMBER"


@dataclass
class PartState:
    """How far a part is: `waiting`, `starting`, `ready`, `restarting` or `stopped`."""

    state: str = "waiting"
    pid: int | None = None
    created: float | None = None
    seconds: float | None = None
    restarts: int = 0


@dataclass
class StackState:
    """How far a stack is: `starting`, `up`, `stopping`, `failed` or `stopped`."""

    phase: str
    token: str
    pid: int
    created: float
    error: str | None = None
    parts: dict[str, PartState] = field(default_factory=dict)


def prepare_home(home: Path, port_offset: int | None = None, keep: dict[str, str] | None = None) -> Settings:
    """Make the home and its secrets, keep a given port offset and other settings, and read them all.

    Secrets that are there are never overwritten; `settings.env` is readable by its owner only.
    """
    home.mkdir(parents=True, exist_ok=True)
    # Others may pass through, no more: Postgres does so under another account when we are root.
    home.chmod(0o711)
    file = home / SETTINGS_FILE
    lines = _lines(file)
    for name in SECRETS:
        if name not in lines:
            lines[name] = secrets.token_urlsafe(24)
    offset = port_offset if port_offset is not None else load_settings(home).port_offset
    if offset or port_offset is not None:
        lines["NEPSE_PORT_OFFSET"] = str(offset)
    lines |= keep or {}
    write_private(file, "".join(f"{name}={text}\n" for name, text in lines.items()))
    given = {} if port_offset is None else {"port_offset": port_offset}
    return load_settings(home, **given)


def _lines(file: Path) -> dict[str, str]:
    text = file.read_text() if file.exists() else ""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def write_private(file: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(file)


@contextmanager
def sole_supervisor(home: Path) -> Iterator[None]:
    """Hold the home's lock; the kernel lets go of it however the process ends.

    Raises:
        StackError: another supervisor holds it.
    """
    with (home / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"a stack is already running in {home}: see nepse status, stop it with nepse down"
            raise StackError(message) from error
        yield


def read_state(home: Path) -> StackState | None:
    """Read the last supervisor's state; None when there was none."""
    file = home / "state.json"
    if not file.exists():
        return None
    data: dict[str, Any] = json.loads(file.read_text())
    data["parts"] = {name: PartState(**part) for name, part in data["parts"].items()}
    return StackState(**data)


def write_state(home: Path, state: StackState) -> None:
    """Write the state at once."""
    write_private(home / "state.json", json.dumps(asdict(state), indent=1))


def alive(pid: int | None, created: float | None) -> psutil.Process | None:
    """Find a process by its id and birth, since ids are used again; None when it has ended."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        same = created is None or abs(process.create_time() - created) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def birth(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None when it has ended."""
    process = alive(pid, None)
    return process.create_time() if process else None


def running(home: Path) -> StackState | None:
    """Read the state of a stack whose supervisor runs; None when it doesn't."""
    state = read_state(home)
    return state if state and alive(state.pid, state.created) else None


def members(token: str) -> list[psutil.Process]:
    """Find every process that was started by a supervisor, and their children, by its token."""
    return [process for process in psutil.process_iter() if _carries(process, token)]


def _carries(process: psutil.Process, token: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MEMBER) == token
    except (psutil.Error, OSError):  # it ended, or is somebody else's
        return False
