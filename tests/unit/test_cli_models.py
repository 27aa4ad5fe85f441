"""The commands for model versions as far as they go without servers."""

import json
from datetime import date
from typing import Any

import pytest
import typer

from infra import prefect_runs
from infra.cli import main, shared
from infra.errors import RejectError
from tasks import comparing, versions
from tasks.core.offices import Offices
from tests.model_books import trained

VERSION: dict[str, Any] = {
    "version": "v2",
    "role": "champion",
    "training_end": "2024-03-04",
    "feature_set": "2",
    "rmse_skill": 4.25,
    "mape": 1.5,
    "why": "[red]better\x1b",
    "terms": [{"entry": "models-0@3", "valid_from": None, "reason": "trained"}],
    "importance": {},
    "mlflow": "http://127.0.0.1:5000/#/models/nepse/versions/2",
}
OFFICES = Offices(
    enumerate([trained("v1", date(2024, 2, 4)), trained("v2", date(2024, 3, 4), why="[red]better\x1b")])
)
COMPARISON: dict[str, Any] = {
    "first": "v3",
    "second": "v2",
    "pairs": 7000,
    "sessions": 20,
    "since": "2024-03-04",
    "until": "2024-04-02",
    "figures": {"v3": {"rmse": 12.5, "rank_ic": 0.2}, "v2": {"rmse": 13.0}, "v0": {"rmse": 14.0}},
    "verdict": "v3 is better than v2",
    "read_side_behind": {},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked for, by the commands that read and by those that run a flow."""
    asked: list[Any] = []

    def run_here(_settings: object, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked.append((name, parameters))
        return {"version": "v3", "published": True, "message": "v3 serves"}

    def compare_live(_settings: object, *names: str | None) -> dict[str, Any]:
        asked.append(names)
        return COMPARISON

    monkeypatch.setattr(prefect_runs, "run_here", run_here)
    monkeypatch.setattr(comparing, "compare_live", compare_live)
    monkeypatch.setattr(versions, "listed", lambda _settings: [{"version": "v0", "role": "never"}, VERSION])
    monkeypatch.setattr(versions, "shown", lambda _settings, name: VERSION | {"version": name})
    monkeypatch.setattr(versions, "offices_now", lambda _settings: OFFICES)
    monkeypatch.setattr(shared, "reachable", lambda settings: settings)
    return asked


@pytest.mark.parametrize("command", ["list", "show", "promote", "rollback", "compare"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As every command's."""
    assert main.run(["models", command, "--help"]) == 0
    assert f"Example: nepse models {command}" in capsys.readouterr().out


def test_versions_are_listed(asked: list[Any], capfd: pytest.CaptureFixture[str]) -> None:
    """A line each; what is not known is left empty."""
    assert main.run(["models", "list"]) == 0
    shown = capfd.readouterr()
    *_, persistence, champion = shown.out.splitlines()
    assert persistence.split() == ["v0", "never"]
    assert champion.split() == ["v2", "champion", "2024-03-04", "2", "4.25", "%", "1.50", "%"]
    assert "next: nepse models show" in shown.err
    assert asked == []


def test_a_version_is_shown_whole_and_harmless(asked: list[Any], capfd: pytest.CaptureFixture[str]) -> None:
    """Foreign text is no markup and no control sequence; empty fields are left out."""
    assert main.run(["models", "show", "v2"]) == 0
    told = capfd.readouterr().out
    assert "[red]better\\x1b" in told
    assert "terms entry models-0@3, reason trained" in told
    assert "importance" not in told
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["promote", "v3"], {"version": "v3", "reason": "by hand"}),
        (["promote", "v3", "--reason", "better"], {"version": "v3", "reason": "better"}),
        (["rollback"], {"version": None, "reason": "rolled back by hand", "instead_of": "v2"}),
        (
            ["rollback", "--instead-of", "v1", "--reason", "it errs"],
            {"version": None, "reason": "it errs", "instead_of": "v1"},
        ),
    ],
)
def test_changes_are_runs_of_the_flow(
    arguments: list[str],
    expected: dict[str, Any],
    asked: list[Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One deployment for both; the sentence is the flow's."""
    assert main.run(["models", *arguments]) == 0
    assert asked == [("promote/promote", expected)]
    assert capfd.readouterr().out == "v3 serves\n"


@pytest.mark.parametrize("agreed", [True, False])
def test_a_person_sees_who_serves_before_a_rollback(
    agreed: bool,
    asked: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It may be another one than they think of: a training may have put it into office."""
    questions: list[str] = []

    def confirm(text: str, *, err: bool) -> bool:
        assert err
        questions.append(text)
        return agreed

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", confirm)
    assert main.run(["models", "rollback"]) == (0 if agreed else 2)
    assert questions == ["Let v1 serve again instead of v2?"]
    assert "v2 serves: [red]better\\x1b\n" in capfd.readouterr().err
    assert len(asked) == agreed
    assert main.run(["models", "rollback", "--instead-of", "v2"]) == 0
    assert len(questions) == 1


@pytest.mark.parametrize(
    ("arguments", "names"), [([], (None, None)), (["v3"], ("v3", None)), (["v3", "v1"], ("v3", "v1"))]
)
def test_a_comparison_is_a_table_and_a_verdict(
    arguments: list[str],
    names: tuple[str | None, ...],
    asked: list[Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Each measure that any of them has."""
    assert main.run(["models", "compare", *arguments]) == 0
    assert asked == [names]
    head, rmse, rank, pairs, verdict = capfd.readouterr().out.splitlines()
    assert head.split() == ["measure", "v3", "v2", "v0"]
    assert (rmse.split(), rank.split()) == (["rmse", "12.5", "13", "14"], ["rank_ic", "0.2"])
    assert pairs == "7000 pairs of vectors from 2024-03-04 to 2024-04-02"
    assert verdict == "v3 is better than v2"


def test_a_read_side_that_lags_is_told(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And where nothing was paired there is no table."""
    lagging = COMPARISON | {"pairs": 0, "read_side_behind": {"shadows": 7}}
    monkeypatch.setattr(comparing, "compare_live", lambda *_: lagging)
    assert main.run(["models", "compare"]) == 0
    shown = capfd.readouterr()
    assert shown.out == "v3 is better than v2\n"
    assert "7 offsets of shadows" in shown.err
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["list"], [{"version": "v0", "role": "never"}, VERSION]),
        (["show", "v9"], VERSION | {"version": "v9"}),
        (["compare"], COMPARISON),
        (["promote", "v3"], {"version": "v3", "published": True, "message": "v3 serves"}),
        (["rollback"], {"version": "v3", "published": True, "message": "v3 serves"}),
    ],
)
def test_scripts_get_json(
    arguments: list[str], expected: Any, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole, and nothing else on standard output."""
    assert main.run(["models", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert len(asked) <= 1


def test_a_refusal_is_one_sentence(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and nothing on standard output; a version is needed to promote one (2)."""

    def refuse(*_: object) -> None:
        message = "no model version 'v33': did you mean v3?"
        raise RejectError(message)

    monkeypatch.setattr(prefect_runs, "run_here", refuse)
    assert main.run(["models", "promote", "v33", "--json"]) == 1
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "nepse: no model version 'v33': did you mean v3?\n")
    assert main.run(["models", "promote"]) == 2
    assert asked == []
