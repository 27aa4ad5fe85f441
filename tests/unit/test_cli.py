"""The command line's frame: exit codes, where messages go, the home before and after a command."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from infra.cli import main, shared
from infra.errors import StackError, UsageError

HEAVY = {"pandas", "prefect", "mlflow", "sklearn", "kafka", "sqlalchemy", "pydantic", "boto3"}


def test_help_imports_nothing_heavy() -> None:
    """`nepse --help` has to be quick: none of the large libraries is imported for it."""
    code = "import sys, infra.cli.main as m; m.run(['--help']); print('|', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "up" in done.stdout
    assert not HEAVY & set(done.stdout.split("|")[-1].split())


@pytest.mark.parametrize("command", ["up", "down", "status", "doctor"])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help ends well and shows how the command is used."""
    assert main.run([command, "--help"]) == 0
    assert f"Example: nepse {command}" in capsys.readouterr().out


def test_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and nothing on standard output."""
    assert main.run(["up", "--sideways"]) == 2
    captured = capsys.readouterr()
    assert "--sideways" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["--home", "{}", "status"], ["status", "--home", "{}"]])
def test_home_counts_before_and_after_the_command(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stack that isn't up is one sentence on standard error and exit code 1."""
    assert main.run([one.format(tmp_path) for one in arguments]) == 1
    captured = capfd.readouterr()
    assert f"nothing is running in {tmp_path}: start it with nepse up" in captured.err
    assert "Traceback" not in captured.err


def test_down_twice_is_well(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing to stop is no failure."""
    assert main.run(["down", "--home", str(tmp_path)]) == 0
    assert "nothing is running" in capfd.readouterr().out


def test_setting_out_of_bounds_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the variable and shows no value."""
    monkeypatch.setenv("NEPSE_PARTITIONS", "secret-looking")
    assert main.run(["status"]) == 2
    captured = capfd.readouterr()
    assert "NEPSE_PARTITIONS" in captured.err
    assert "secret-looking" not in captured.err


@pytest.mark.parametrize(
    ("failure", "code"), [(StackError("no"), 1), (UsageError("no"), 2), (KeyError("no"), 1)]
)
def test_failures_become_exit_codes(failure: Exception, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --debug no failure is a traceback, with it every failure is."""

    def fail(_arguments: list[str]) -> None:
        raise failure

    monkeypatch.setattr(main, "app", fail)
    assert main.run(["anything"]) == code
    with pytest.raises(type(failure)):
        main.run(["anything", "--debug"])


def test_json_survives_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets are JSON here and not markup."""
    shared.print_json({"a": ["[red]"]})
    assert '"[red]"' in capsys.readouterr().out


def test_modules_register_their_commands() -> None:
    """Every module in the list has its commands in the app."""
    found = {command.name for command in typer.main.get_command(main.app).commands.values()}  # type: ignore[attr-defined]
    assert {"up", "down", "status", "doctor"} <= found
