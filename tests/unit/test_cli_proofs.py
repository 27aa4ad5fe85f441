"""The operators' commands as far as they go without servers."""

import io
import json
from typing import Any

import pytest

from infra import prefect_runs
from infra.cli import main, rebuild, reconcile
from infra.errors import UnsoundError

ACCOUNT = dict.fromkeys(reconcile.COUNTED, 0) | {
    "flow": "predict",
    "topic": "features",
    "partition": 0,
    "offsets": 7,
    "published": 5,
    "lost": 1,
}
FINDING = {
    "kind": "lost",
    "where": "predict on features-0",
    "what": "1 records in [3, 4) have no outcome",
    "serious": True,
    "advice": "publish the input again",
}
BAD = {"sound": False, "message": "1 findings to look at", "accounts": [ACCOUNT], "findings": [FINDING]}
TABLE = {
    "table": "errors",
    "rows_before": 2,
    "rows_after": 3,
    "digest_before": "0" * 32,
    "digest_after": "1" * 32,
    "same": False,
    "note": "",
}


@pytest.fixture
def unsound(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs that find something; the report may be chosen."""
    report: dict[str, Any] = {}

    def run_here(*_: object) -> None:
        raise UnsoundError(str(report["message"]), report)

    monkeypatch.setattr(prefect_runs, "run_here", run_here)
    return report


@pytest.mark.parametrize("command", ["reconcile", "rebuild", "lineage"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As every command's."""
    assert main.run([command, "--help"]) == 0
    assert f"Example: nepse {command}" in capsys.readouterr().out


def test_a_finding_makes_reconcile_fail_after_all_was_told(
    unsound: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; the finding with what to do; outcomes that no flow has are no column."""
    unsound.update(BAD)
    assert main.run(["reconcile"]) == 1
    shown = capfd.readouterr()
    assert "lost: predict on features-0: 1 records in [3, 4) have no outcome (publish" in shown.out
    assert "published" in shown.out
    assert "rerouted" not in shown.out
    assert "1 findings to look at" in shown.err


def test_the_report_is_whole_in_json(unsound: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a reconciliation that failed."""
    unsound.update(BAD)
    assert main.run(["reconcile", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == BAD


def test_a_table_that_differs_makes_rebuild_fail(
    unsound: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and the table is named."""
    unsound.update({"sound": False, "message": "errors came out different", "tables": [TABLE]})
    assert main.run(["rebuild", "--yes"]) == 1
    shown = capfd.readouterr()
    assert "DIFFERENT" in shown.out
    assert "errors came out different" in shown.err


def test_nothing_is_dropped_where_nobody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A script has to say --yes."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main.run(["rebuild", "--features"]) == 2
    assert "the read side and the feature table" in capfd.readouterr().err


def test_a_refusal_drops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer no ends the command before anything runs."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(rebuild.typer, "confirm", lambda *_, **__: False)
    assert main.run(["rebuild"]) == 2
