"""Fixtures for all tests: the real stack, started once for those that need it."""

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings

from infra.database.connection import create
from infra.settings import Settings, load_settings
from infra.stack import parts, ports, state
from tests.desk import Desk

NEPSE = str(Path(sys.executable).with_name("nepse"))
UP_SECONDS = 290
DOWN_SECONDS = 120
OFFSETS = range(11_000, 20_000, 700)

# A shell's background job inherits an ignored Ctrl-C, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis_settings.register_profile("loop", deadline=None)  # a busy machine is no defect
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
hypothesis_settings.register_profile("guards", deadline=None, phases=UNSHRUNK)  # that it fails is enough
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "loop"))


def nepse(*arguments: str, within: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would."""
    return subprocess.run(
        [NEPSE, *arguments], capture_output=True, text=True, timeout=within, check=False, cwd="/"
    )


def free_offset(home: Path) -> int:
    """Find a port offset at which a whole stack fits; in any order, since other runs look for one as well."""
    for offset in random.sample(OFFSETS, len(OFFSETS)):
        settings = load_settings(home, port_offset=offset)
        if all(ports.free(settings.host, port) for port in ports.wanted(parts.plan(settings)).values()):
            return offset
    message = "no port offset leaves every port free"
    raise AssertionError(message)


@pytest.fixture(scope="session")
def cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line as a function of its arguments."""
    return nepse


@pytest.fixture
def fresh_home() -> Iterator[tuple[Path, int]]:
    """A short empty folder and a port offset at which a stack fits; whatever started there is taken down."""
    with tempfile.TemporaryDirectory(prefix="nepse-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        yield home, free_offset(home)
        nepse("down", "--home", str(home), within=DOWN_SECONDS)


@contextmanager
def running_stack(**kept: str) -> Iterator[Settings]:
    """A stack in a folder of its own; at the end it has to go without leaving a process."""
    with tempfile.TemporaryDirectory(prefix="nepse-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        state.prepare_home(home, free_offset(home), keep=kept)
        up = nepse("up", "--home", str(home), within=UP_SECONDS)
        assert up.returncode == 0, up.stderr
        token = known.token if (known := state.read_state(home)) else ""
        try:
            yield load_settings(home)
        finally:
            down = nepse("down", "--home", str(home), within=DOWN_SECONDS)
        assert down.returncode == 0, down.stderr
        assert state.members(token) == []


@pytest.fixture(scope="session")
def servers() -> Iterator[Settings]:
    """Only the servers that a slice needs, Kafka and Postgres, with all topics: up in some seconds."""
    with running_stack(NEPSE_PARTS='["kafka","postgres"]') as settings:
        create(settings)
        yield settings


@pytest.fixture
def desk(servers: Settings) -> Iterator[Desk]:
    """A flow of this test."""
    desk = Desk(servers)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Settings]:
    """Kafka and Postgres with all topics for one module alone, whose tests leave faults behind."""
    with running_stack(NEPSE_PARTS='["kafka","postgres"]') as settings:
        create(settings)
        yield settings


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """A whole stack."""
    with running_stack() as settings:
        yield settings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make faults` ask for more than `make test` does."""
    parser.addoption("--rounds", type=int, default=1, help="how often each kill is injected")
    parser.addoption("--faults-report", help="file for the table of faults")
    parser.addoption("--told-report", help="file for how soon people see and are told what goes wrong")
