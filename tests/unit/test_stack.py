"""The local stack's plan, memory and messages, without a server."""

import asyncio
import errno
import socket
import stat
import sys
from pathlib import Path

import psutil
import pytest

from infra.errors import StackError, TryAgainError
from infra.settings import Settings, load_settings, origins
from infra.stack import (
    account,
    broker,
    control,
    doctor,
    flows_host,
    objects,
    ports,
    process,
    state,
    supervisor,
)
from infra.stack import parts as catalogue
from infra.stack.parts import Part

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def quiet(_settings: Settings) -> None:
    """Be ready at once."""


def part(name: str, *needs: str, command: tuple[str, ...] = SLEEP, **more: object) -> Part:
    """Make a part for a test."""
    return Part(name=name, command=command, version="1", ready=quiet, needs=needs, **more)  # type: ignore[arg-type]


def names(groups: list[list[Part]]) -> list[list[str]]:
    """Reduce parts to their names."""
    return [[one.name for one in group] for group in groups]


def test_parts_start_as_early_as_their_needs_allow() -> None:
    """What needs nothing comes first, and a need that isn't run here doesn't block."""
    groups = catalogue.levels([part("a"), part("c", "b", "elsewhere"), part("b", "a"), part("d")])
    assert names(groups) == [["a", "d"], ["b"], ["c"]]


def test_parts_that_need_each_other_are_refused() -> None:
    """A circle is a fault of the plan and says so."""
    with pytest.raises(ValueError, match="in a circle: a, b"):
        catalogue.levels([part("a", "b"), part("b", "a")])


def test_plan_holds_all_servers_and_the_outside_ones_are_not_run(tmp_path: Path) -> None:
    """An address in the settings means that the server is somebody else's to run."""
    settings = load_settings(tmp_path, kafka_bootstrap="broker:9092")
    planned = {one.name for one in catalogue.plan(settings)}
    assert {"kafka", "s3", "postgres", "prefect", "mlflow", "worker"} <= planned
    assert "kafka" not in {one.name for one in catalogue.local(catalogue.plan(settings))}


def test_a_part_whose_module_is_missing_is_left_out() -> None:
    """Modules are looked for, also below packages that don't exist."""
    assert catalogue.present(part("a", modules=("infra.stack.parts",)))
    assert not catalogue.present(part("a", modules=("no_such_package.inside",)))


def test_ports_are_distinct_and_move_together(tmp_path: Path) -> None:
    """Two stacks 100 apart share no port."""
    taken = [
        set(ports.wanted(catalogue.plan(load_settings(tmp_path, port_offset=offset))).values())
        for offset in (0, 100)
    ]
    assert len(taken[0]) == len(taken[1]) == 19
    assert not taken[0] & taken[1]


def test_highest_offset_leaves_every_port_possible(tmp_path: Path) -> None:
    """The bound of the setting keeps the highest port below 65536."""
    wanted = ports.wanted(catalogue.plan(load_settings(tmp_path, port_offset=46_000)))
    assert max(wanted.values()) < 65_536


def test_a_port_in_use_is_named_with_its_holder(tmp_path: Path) -> None:
    """The message says which port, for what, who has it, and what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        wanted = [part("kafka", ports={"Kafka clients": port})]
        with pytest.raises(StackError) as caught:
            ports.require_free(load_settings(tmp_path), wanted)
    text = str(caught.value)
    assert f"port {port}, which Kafka clients needs" in text
    assert f"{psutil.Process().name()} (process {psutil.Process().pid})" in text
    assert "--port-offset" in text


def test_secrets_are_made_once_and_offset_is_kept(tmp_path: Path) -> None:
    """A second start finds the same secrets, and the offset without being told again."""
    first = state.prepare_home(tmp_path, 300)
    second = state.prepare_home(tmp_path)
    assert first.s3_secret_key.get_secret_value()
    assert first.s3_secret_key != first.database_password
    assert second.database_password == first.database_password
    assert second.s3_secret_key == first.s3_secret_key
    assert second.port_offset == first.port_offset == 300
    assert state.prepare_home(tmp_path, 0).port_offset == 0


def test_settings_file_is_private_and_keeps_what_a_person_added(tmp_path: Path) -> None:
    """Nobody else can read the secrets; other lines survive a start."""
    file = tmp_path / "settings.env"
    file.write_text("NEPSE_PARTITIONS=5\n")
    assert state.prepare_home(tmp_path).partitions == 5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_origins_tell_file_environment_and_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctor can say where each value comes from."""
    monkeypatch.setenv("NEPSE_SLICE_RECORDS", "7")
    found = origins(state.prepare_home(tmp_path, 100))
    assert found["slice_records"] == "environment"
    assert found["port_offset"] == "settings.env"
    assert found["partitions"] == "default"


def test_doctor_masks_secrets(tmp_path: Path) -> None:
    """No secret reaches the table of settings."""
    settings = state.prepare_home(tmp_path)
    table = {name: value for name, value, _ in doctor.settings_table(settings)}
    assert table["s3_secret_key"] == table["database_password"] == "********"  # noqa: S105
    assert settings.s3_secret_key.get_secret_value() not in str(table)


def test_store_identities_are_private(tmp_path: Path) -> None:
    """The file with the store's secret is readable by its owner only."""
    objects.write_identities(state.prepare_home(tmp_path))
    file = tmp_path / "s3" / "identities.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_store_clears_its_own_sockets_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed store's socket goes, one of another port stays."""
    monkeypatch.setattr(objects, "SOCKETS", tmp_path)
    mine, other = tmp_path / "seaweedfs-master-grpc-19343.sock", tmp_path / "seaweedfs-s3-8333.sock"
    mine.touch()
    other.touch()
    objects.prepare(state.prepare_home(tmp_path / "home", 10))
    assert not mine.exists()
    assert other.exists()


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    """Everybody on the machine can read command lines."""
    settings = state.prepare_home(tmp_path)
    lines = " ".join(word for one in catalogue.plan(settings) for word in one.command)
    assert settings.s3_secret_key.get_secret_value() not in lines
    assert settings.database_password.get_secret_value() not in lines


def test_second_supervisor_of_a_home_is_refused(tmp_path: Path) -> None:
    """One home, one supervisor."""
    with (
        state.sole_supervisor(tmp_path),
        pytest.raises(StackError, match="already running"),
        state.sole_supervisor(tmp_path),
    ):
        pass


def test_a_reused_process_id_is_not_taken_for_ours() -> None:
    """The birth has to fit as well as the id."""
    me = psutil.Process()
    assert state.alive(me.pid, me.create_time()) == me
    assert state.alive(me.pid, me.create_time() - 100) is None


def test_down_without_a_stack_says_that_nothing_ran(tmp_path: Path) -> None:
    """Taking down twice is harmless."""
    assert control.take_down(tmp_path) is False


def test_broker_properties_keep_records_and_offsets(tmp_path: Path) -> None:
    """A year of offsets, no expiry of records, no topic by accident, letters of 4 MiB."""
    lines = broker.properties(load_settings(tmp_path, port_offset=5)).splitlines()
    assert "offsets.retention.minutes=525600" in lines
    assert "log.retention.hours=-1" in lines
    assert "auto.create.topics.enable=false" in lines
    assert "message.max.bytes=5242880" in lines
    assert "listeners=PLAINTEXT://127.0.0.1:9097,CONTROLLER://127.0.0.1:9098" in lines


def test_log_is_rotated_once_it_is_large(tmp_path: Path) -> None:
    """One older generation is kept, a small log is left alone."""
    file = tmp_path / "a.log"
    file.write_bytes(b"x" * 10)
    process.rotate(file)
    assert file.exists()
    file.write_bytes(b"x" * (process.LOG_BYTES + 1))
    process.rotate(file)
    assert not file.exists()
    assert (tmp_path / "a.log.1").exists()


def test_a_log_is_shortened_while_its_process_writes(tmp_path: Path) -> None:
    """What was written goes aside, what comes goes on at the beginning; a small log is left alone."""
    file = tmp_path / "a.log"
    with file.open("ab", buffering=0) as log:
        log.write(b"before\n")
        process.shorten(file)
        assert file.read_bytes() == b"before\n"
        log.write(b"x" * process.LOG_BYTES)
        process.shorten(file)
        log.write(b"after\n")
    assert file.read_bytes() == b"after\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"before\n" + b"x" * process.LOG_BYTES


def test_a_running_stack_keeps_its_logs_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every part, again and again; what can't be shortened does not end the stack."""
    monkeypatch.setattr(supervisor, "LOG_SECONDS", 0.01)
    seen: list[str] = []
    enough = asyncio.Event()

    def shorten(file: Path) -> None:
        seen.append(file.name)
        if len(seen) == 4:
            loop.call_soon_threadsafe(enough.set)
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(process, "shorten", shorten)
    monkeypatch.setattr(catalogue, "plan", lambda _: [part("a"), part("b")])
    watched = supervisor.Supervisor(load_settings(tmp_path))

    async def long_enough() -> None:
        tidying = asyncio.create_task(watched._tidy_logs())
        await asyncio.wait_for(enough.wait(), 10)
        tidying.cancel()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(long_enough())
    loop.close()
    assert seen[:4] == ["a.log", "b.log", "a.log", "b.log"]


def test_closed_parent_is_found(tmp_path: Path) -> None:
    """The folder that keeps another account out is the outermost closed one."""
    (tmp_path / "shut" / "in" / "data").mkdir(parents=True)
    (tmp_path / "shut").chmod(0o700)
    (tmp_path / "shut" / "in").chmod(0o755)
    found = account.first_closed(tmp_path / "shut" / "in" / "data")
    assert found is not None
    assert found == tmp_path / "shut" or found in tmp_path.parents or found == tmp_path


def test_deployments_are_made_again_when_the_wiring_changes(tmp_path: Path) -> None:
    """The stamp fits one wiring and one server only."""
    settings = state.prepare_home(tmp_path)
    assert not flows_host.deployed(settings)
    flows_host.remember_deployed(settings)
    assert flows_host.deployed(settings)
    assert not flows_host.deployed(load_settings(tmp_path, work_pool="other"))
    assert not flows_host.deployed(load_settings(tmp_path, landing="s3://landing"))


def test_host_is_ready_only_while_its_process_lives(tmp_path: Path) -> None:
    """The file alone doesn't count."""
    settings = load_settings(tmp_path)
    with pytest.raises(TryAgainError, match="forecasting"):
        flows_host.announced(settings, "forecasting")
    flows_host.announce(settings, "forecasting", psutil.Process().pid)
    flows_host.announced(settings, "forecasting")
    flows_host.announce(settings, "forecasting", 2**22 - 1)
    with pytest.raises(TryAgainError, match="forecasting"):
        flows_host.announced(settings, "forecasting")


def supervised(settings: Settings, monkeypatch: pytest.MonkeyPatch, *parts: Part) -> supervisor.Supervisor:
    """Make a supervisor of these parts alone."""
    monkeypatch.setattr(catalogue, "plan", lambda _settings: list(parts))
    return supervisor.Supervisor(settings)


def _is_back(part: state.PartState) -> bool:
    return part.restarts == 1 and part.state == "ready"


def test_crashed_part_comes_back_and_stop_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process is replaced; after the stop no process carries the mark, children included."""
    child = f"subprocess.Popen({list(SLEEP)!r}, start_new_session=True)"
    nested = f"import subprocess, time; {child}; time.sleep(60)"
    settings = state.prepare_home(tmp_path)
    one = supervised(settings, monkeypatch, part("a", command=(sys.executable, "-c", nested)), part("b", "a"))

    async def live() -> tuple[int, int]:
        running = asyncio.create_task(one.run())
        await asyncio.wait_for(one.ready["b"].wait(), 20)
        first = one.processes["b"]
        back = asyncio.Event()
        one.listener = lambda now: back.set() if _is_back(now.parts["b"]) else None
        first.kill()
        await asyncio.wait_for(back.wait(), 20)
        second = one.processes["b"].pid
        one.stopping.set()
        await asyncio.wait_for(running, 30)
        return first.pid, second

    first, second = asyncio.run(live())
    assert first != second
    assert state.members(one.state.token) == []
    kept = state.read_state(tmp_path)
    assert kept is not None
    assert kept.phase == "stopped"


def test_part_that_ends_at_once_fails_the_start_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message carries the part, the exit code and the end of the log; the others are stopped."""
    broken = part("bad", command=(sys.executable, "-c", "raise SystemExit('no disk')"), once=True)
    one = supervised(state.prepare_home(tmp_path), monkeypatch, part("good"), broken)
    with pytest.raises(TryAgainError, match=r"bad ended with code 1; the end of .*bad\.log:\nno disk"):
        asyncio.run(one.run())
    assert state.members(one.state.token) == []
    kept = state.read_state(tmp_path)
    assert kept is not None
    assert kept.phase == "failed"


def test_part_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded and ends with the probe's own words."""

    def never(_settings: Settings) -> None:
        message = "still thinking"
        raise TryAgainError(message)

    mute = Part(name="mute", command=SLEEP, version="1", ready=never, within=0.5)
    one = supervised(state.prepare_home(tmp_path), monkeypatch, mute)
    with pytest.raises(TryAgainError, match=r"mute was not ready within .*still thinking"):
        asyncio.run(one.run())
