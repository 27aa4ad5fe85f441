"""The benchmark's own broker and database, in a folder of their own, gone when it ends."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.database.connection import create
from infra.settings import Settings, load_settings
from infra.stack import parts, ports, state

NEPSE = str(Path(sys.executable).with_name("nepse"))
UP_SECONDS = 290
DOWN_SECONDS = 120
OFFSETS = range(21_000, 30_000, 700)


def free_offset(home: Path) -> int:
    """Find a port offset at which a whole stack fits."""
    for offset in OFFSETS:
        settings = load_settings(home, port_offset=offset)
        if all(ports.free(settings.host, port) for port in ports.wanted(parts.plan(settings)).values()):
            return offset
    message = "no port offset leaves every port free"
    raise SystemExit(message)


@contextmanager
def servers(*names: str, **kept: str) -> Iterator[Settings]:
    """Start these parts, Kafka and Postgres among them, with topics and tables; they end with the block.

    `kept` are settings of the stack's home.
    """
    with tempfile.TemporaryDirectory(prefix="nepse-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        state.prepare_home(home, free_offset(home), keep={"NEPSE_PARTS": json.dumps(names), **kept})
        _nepse("up", home, UP_SECONDS)
        try:
            settings = load_settings(home)
            create(settings)
            yield settings
        finally:
            _nepse("down", home, DOWN_SECONDS)


def _nepse(command: str, home: Path, seconds: float) -> None:
    done = subprocess.run(
        [NEPSE, command, "--home", str(home)], capture_output=True, text=True, timeout=seconds, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
