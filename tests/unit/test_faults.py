"""Fault points: nothing unless a test armed one, and then once."""

from pathlib import Path

import pytest

from infra import faults
from infra.faults import InjectedError, reach


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which faults are armed."""
    monkeypatch.setattr(faults, "_folder", lambda: tmp_path)
    return tmp_path


def test_without_a_folder_nothing_happens(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is armed somewhere else is not found."""
    (folder / "slice-fetched").write_text("raise")
    monkeypatch.setattr(faults, "_folder", lambda: None)
    reach("slice-fetched")
    assert (folder / "slice-fetched").exists()


@pytest.mark.parametrize("armed", ["slice-fetched", "slice-fetched.predict"])
def test_an_armed_point_acts_once(folder: Path, armed: str) -> None:
    """Whoever comes first takes the fault away; the next passes."""
    (folder / armed).write_text("raise")
    reach("validated", "predict")
    with pytest.raises(InjectedError, match=armed):
        reach("slice-fetched", "predict")
    reach("slice-fetched", "predict")


def test_a_fault_of_one_flow_spares_the_others(folder: Path) -> None:
    """The point of another flow is passed."""
    (folder / "validated.join-errors").write_text("raise")
    reach("validated", "predict")
    assert (folder / "validated.join-errors").exists()
