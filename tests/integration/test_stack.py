"""The local stack with its real servers, as a person starts, watches, breaks and stops it."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.settings import Settings
from infra.stack import database, objects, state
from infra.stack.java import console_tool
from infra.stack.state import StackState

pytestmark = pytest.mark.stack
Cli = Callable[..., subprocess.CompletedProcess[str]]
NEPSE = str(Path(sys.executable).with_name("nepse"))


def eventually(true: Callable[[], bool], what: str, within: float) -> None:
    """Wait until something holds, for a bounded time."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.1)


def reached(home: Path, part: str, wanted: str) -> bool:
    """Tell whether a part of the stack in `home` has come to a state."""
    known = state.read_state(home)
    return known is not None and part in known.parts and known.parts[part].state == wanted


def known(home: Path) -> StackState:
    """Read the state of a stack that has been started."""
    found = state.read_state(home)
    assert found is not None
    return found


def test_status_has_the_promised_shape_and_all_is_healthy(stack: Settings, cli: Cli) -> None:
    """Scripts rely on exactly these keys."""
    done = cli("status", "--json", "--home", str(stack.home))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"parts", "sensors"}
    assert all(set(part) == {"name", "url", "metrics", "healthy", "version"} for part in found["parts"])
    assert all(part["healthy"] for part in found["parts"])
    assert all(
        set(one) == {"name", "flow", "lag", "last_commit", "healthy", "why"} for one in found["sensors"]
    )
    assert {"kafka", "s3", "postgres", "prefect", "mlflow", "worker"} <= {p["name"] for p in found["parts"]}


def test_doctor_finds_nothing_wrong(stack: Settings, cli: Cli) -> None:
    """A running stack is in order, and no secret is shown."""
    done = cli("doctor", "--home", str(stack.home))
    assert done.returncode == 0, done.stdout
    assert "not ok" not in done.stdout
    assert stack.database_password.get_secret_value() not in done.stdout


def test_databases_and_buckets_are_there(stack: Settings) -> None:
    """What the servers should hold, they hold."""
    assert database.missing_databases(stack) == []
    assert objects.missing_buckets(stack) == []


def test_postgres_keeps_what_it_acknowledges(stack: Settings) -> None:
    """Durability stays on: state and read side rely on it."""
    with psycopg.connect(stack.postgres("nepse", "postgresql")) as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    assert shown == [("on",), ("on",)]


def test_postgres_and_store_refuse_strangers(stack: Settings) -> None:
    """Without the secrets nobody gets in."""
    url = stack.postgres("nepse", "postgresql").replace(stack.database_password.get_secret_value(), "guess")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url, connect_timeout=5)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{stack.s3_url}/{stack.raw_bucket}?list-type=2", timeout=5)  # noqa: S310


def test_servers_listen_on_the_loopback_only(stack: Settings) -> None:
    """No part can be reached from another machine."""
    ours = state.members(known(stack.home).token)
    spots = {
        spot.laddr.ip
        for process in ours
        for spot in process.net_connections("tcp")
        if spot.status == "LISTEN"
    }
    assert {ip.removeprefix("::ffff:") for ip in spots} == {"127.0.0.1"}


def test_console_clients_reach_the_broker(stack: Settings) -> None:
    """Kafka's own tools list the topics."""
    done = subprocess.run(
        console_tool(stack, "topics", "--list"), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"raw-data", "predictions", "errors"} <= set(done.stdout.split())


def test_second_up_finds_the_first(stack: Settings, cli: Cli) -> None:
    """Starting what runs is harmless."""
    done = cli("up", "--home", str(stack.home))
    assert done.returncode == 0, done.stderr
    assert "already running" in done.stdout


def test_other_home_on_the_same_ports_is_told_which_and_by_whom(
    stack: Settings, cli: Cli, fresh_home: tuple[Path, int]
) -> None:
    """The message names port, purpose and process, and nothing is started."""
    done = cli("up", "--home", str(fresh_home[0]), "--port-offset", str(stack.port_offset))
    assert done.returncode == 1
    assert f"port {stack.port(9092)}, which Kafka clients needs, is in use by java (process" in done.stderr
    assert state.read_state(fresh_home[0]) is None


@pytest.mark.parametrize("name", ["mlflow", "worker", "forecasting", "projectors"])
def test_killed_part_comes_back_within_a_minute(stack: Settings, name: str) -> None:
    """The supervisor starts a part again that somebody killed."""
    before = known(stack.home).parts.get(name)
    if before is None:
        pytest.skip(f"{name} is no part of this stack")
    assert before.pid is not None
    psutil.Process(before.pid).kill()
    eventually(lambda: known(stack.home).parts[name].pid not in {before.pid, None}, f"new {name}", 60)
    eventually(lambda: reached(stack.home, name, "ready"), f"{name} ready", 60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_foreground_stops_everything_on_a_signal(
    fresh_home: tuple[Path, int], number: signal.Signals
) -> None:
    """Ctrl-C while it starts leaves no process behind."""
    home, offset = fresh_home
    command = [NEPSE, "up", "--foreground", "--home", str(home), "--port-offset", str(offset)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        eventually(lambda: reached(home, "postgres", "ready"), "Postgres", 60)
        token = known(home).token
        assert state.members(token)
        up.send_signal(number)
        up.communicate(timeout=60)
    assert up.returncode == 0
    assert state.members(token) == []
    assert known(home).phase == "stopped"


def test_ctrl_c_while_up_waits_stops_everything(fresh_home: tuple[Path, int]) -> None:
    """The supervisor in the background goes with the command that waits for it."""
    home, offset = fresh_home
    command = [NEPSE, "up", "--home", str(home), "--port-offset", str(offset)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        eventually(lambda: reached(home, "postgres", "ready"), "Postgres", 120)
        now = known(home)
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=90)
    assert up.returncode == 130
    assert state.members(now.token) == []
    assert state.alive(now.pid, now.created) is None


def test_down_cleans_up_after_a_killed_supervisor(fresh_home: tuple[Path, int], cli: Cli) -> None:
    """A supervisor that was killed leaves its notes; the next down ends what is left."""
    home, offset = fresh_home
    command = [NEPSE, "up", "--home", str(home), "--port-offset", str(offset)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as up:
        eventually(lambda: reached(home, "postgres", "ready"), "Postgres", 60)
        now = known(home)
        psutil.Process(now.pid).kill()
        words, _ = up.communicate(timeout=60)
    assert up.returncode == 1
    assert "supervisor" in words
    assert cli("down", "--home", str(home)).returncode == 0
    assert state.members(now.token) == []
