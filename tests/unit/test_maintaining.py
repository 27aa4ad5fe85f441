"""Which versions maintenance keeps for models, and how it gets along with a projector; the command."""

from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from events.payloads import ModelPromoted, ModelTrained
from flows import maintain as flow
from infra import prefect_runs
from infra.cli import main
from infra.database import state
from infra.errors import ReplanError
from infra.feature_upkeep import Known, Statistics, Upkeep
from tasks import maintaining
from tasks.maintaining import maintain_features, pinned_versions

SIZE = Statistics(7, 1, 2_500_000, 1_000, 55, "2024-01-01", "2024-02-01")
DONE = Upkeep(SIZE, SIZE, [4, 9], [])


def trained(version: str, data_version: int | None) -> ModelTrained:
    """A training on a version of the table; the chapter's event does not name one."""
    return ModelTrained(
        model_version=version,
        performance={"mae": 1.0},
        features_used=["RSI"],
        artifact_location="s3://m/m.skops",
        training_end=date(2024, 1, 1),
        data_version=data_version,
    )


class FakeLoop:
    """A models topic, and a feature table whose first maintenances meet a projector's commit."""

    def __init__(self, *payloads: Any, conflicts: int = 0) -> None:
        """Put payloads on the topic."""
        self.payloads, self.conflicts = payloads, conflicts
        self.models = self.feature_table = self
        self.database = None
        self.asked: list[Any] = []

    def refresh(self) -> int:
        """Tell the end of the topic."""
        return len(self.payloads)

    def between(self, start: int, end: int) -> list[Any]:
        """List entries."""
        return [SimpleNamespace(payload=payload) for payload in self.payloads[start:end]]

    def maintain(self, keep: timedelta, pinned: set[int]) -> Upkeep:
        """Meet a commit, or be done."""
        self.asked.append((keep, pinned))
        if len(self.asked) <= self.conflicts:
            message = "somebody else committed"
            raise ReplanError(message)
        return DONE

    def known_values(self) -> list[Known]:
        """Tell of two features, one of which nobody knows."""
        return [Known("RSI", 9, 1.0, 50.0, 99.0), Known("new", 0, None, None, None)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without a pause."""
    monkeypatch.setattr(maintaining, "PAUSE_SECONDS", 0.0)


def test_every_version_that_a_training_read_is_pinned() -> None:
    """Also of models that were never promoted; events without one pin nothing."""
    promoted = ModelPromoted(model_version="v1", reason="by hand")
    events = (trained("v1", 9), trained("v2", None), promoted, trained("v3", 4), trained("v4", 9))
    loop: Any = FakeLoop(*events)
    assert pinned_versions(loop) == {4, 9}


@pytest.mark.parametrize("conflicts", [0, 1, maintaining.ATTEMPTS - 1])
def test_a_projectors_commit_in_between_is_no_failure(conflicts: int) -> None:
    """The maintenance is tried again, with the same pins."""
    loop: Any = FakeLoop(trained("v1", 9), conflicts=conflicts)
    assert maintain_features(loop, timedelta(30)) == DONE
    assert loop.asked == [(timedelta(30), {9})] * (conflicts + 1)


def test_a_projector_that_never_rests_ends_it() -> None:
    """After so many attempts the run fails; nothing is lost by that."""
    loop: Any = FakeLoop(conflicts=1_000)
    with pytest.raises(ReplanError):
        maintain_features(loop, timedelta(30))
    assert len(loop.asked) == maintaining.ATTEMPTS


def test_the_run_shows_the_table_before_and_after_and_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two artifacts for people, and the same for scripts."""
    loop, shown = FakeLoop(trained("v1", 9)), dict[str, Any]()
    monkeypatch.setattr(flow, "connect", lambda: loop)
    monkeypatch.setattr(flow, "create_table_artifact", lambda **told: shown.update({told.pop("key"): told}))
    monkeypatch.setattr(state, "prune_window", lambda *asked: len(asked))
    told = flow.maintain.fn(keep_days=7)
    assert told["errors_forgotten"] == 3
    assert loop.asked == [(timedelta(7), {9})]
    assert [row["when"] for row in shown["maintain-table"]["table"]] == ["before", "after"]
    assert shown["maintain-table"]["table"][1].items() >= asdict(SIZE).items()
    assert shown["maintain-table"]["description"] == told["message"] == DONE.message
    assert shown["maintain-features"]["description"] == "2 features"
    assert [row["feature"] for row in shown["maintain-features"]["table"]] == ["RSI", "new"]
    assert told["features"] == shown["maintain-features"]["table"]


def test_the_command_runs_the_deployment_and_says_what_became(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line for people; help has an example."""
    asked: list[Any] = []

    def run(_settings: object, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked.append((name, parameters))
        return {"message": DONE.message}

    monkeypatch.setattr(prefect_runs, "run_here", run)
    assert main.run(["maintain", "--keep-days", "7", "--home", str(tmp_path)]) == 0
    assert asked == [("maintain/maintain", {"keep_days": 7})]
    said = capfd.readouterr().out
    assert said == "1 files became 1, 1000 rows in 2.5 MB; 2 old versions kept for models\n"
    assert main.run(["maintain", "--help"]) == 0
    assert "Example: nepse maintain" in capfd.readouterr().out
    assert main.run(["maintain", "--keep-days", "0"]) == 2
