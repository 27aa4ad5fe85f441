"""What people see of versions: roles, figures, terms."""

from datetime import date
from typing import Any

import pytest

from infra.errors import RejectError, UsageError
from infra.settings import load_settings
from tasks import comparing, versions
from tasks.comparing import chosen
from tasks.core.offices import Offices
from tasks.core.versions import row, rows, why_unknown
from tests.model_books import promoted, trained

FIGURES: dict[str, Any] = {
    "performance": {"rmse_return": 0.019, "mape": 1.2},
    "baseline_performance": {"rmse_return": 0.02},
}
ENTRIES = (
    trained("v1", date(2023, 1, 1), **FIGURES),
    trained("v2", date(2023, 2, 1)),
    trained("v3", date(2023, 3, 1), promoted=False, feature_set="2"),
    trained("v4", date(2023, 4, 1), promoted=False),
    promoted("v1", date(2023, 5, 1), "v2 errs"),
)
NOW = Offices(enumerate(ENTRIES))


def test_each_version_has_its_role() -> None:
    """Persistence is always there; of those who wait two predict in shadow."""
    assert [(one["version"], one["role"]) for one in rows(NOW)] == [
        ("v0", "never served"),
        ("v1", "champion"),
        ("v2", "former champion"),
        ("v3", "never served"),
        ("v4", "challenger"),
    ]
    assert rows(Offices([]))[0]["role"] == "champion"
    later = Offices(enumerate([*ENTRIES, trained("v5", date(2023, 4, 9), promoted=False)]))
    assert [one["role"] for one in rows(later)][-2:] == ["challenger", "newest"]


def test_figures_are_beside_persistence_and_terms_say_why() -> None:
    """By how much its error is lower; each time in office with its entry."""
    found = row(NOW, "v1")
    assert found is not None
    assert (found["rmse_skill"], found["mape"], found["training_end"]) == (5.0, 1.2, "2023-01-01")
    assert found["terms"] == [
        {"entry": "models-0@0", "valid_from": None, "reason": "trained"},
        {"entry": "models-0@4", "valid_from": "2023-05-01", "reason": "v2 errs"},
    ]


def test_what_a_training_did_not_say_is_missing() -> None:
    """No figure is made up; what names no set is of the first one."""
    found = row(NOW, "v2")
    assert found is not None
    assert (found["rmse_skill"], found["mape"], found["feature_set"]) == (None, None, "1")
    assert row(NOW, "v9") is None


def test_an_unknown_version_is_explained() -> None:
    """With names that look alike, persistence among the known ones."""
    assert "did you mean v4" in why_unknown(NOW, "v44")
    assert "v0" in why_unknown(Offices([]), "v1")


def test_pages_are_linked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Persistence is none of MLflow's."""
    monkeypatch.setattr(versions, "offices_now", lambda _settings: NOW)
    settings = load_settings(tmp_path)
    first, second, *_ = versions.listed(settings)
    assert first["mlflow"] is None
    assert second["mlflow"].endswith(f"/#/models/{settings.model_name}/versions/1")
    assert versions.shown(settings, "v1") == second
    with pytest.raises(RejectError, match="did you mean"):
        versions.shown(settings, "v11")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (None, None, ("v4", "v1")),
        ("v2", None, ("v2", "v1")),
        ("v2", "v3", ("v2", "v3")),
        ("v1", "v0", ("v1", "v0")),
    ],
)
def test_without_names_the_challenger_meets_the_champion(
    first: str | None, second: str | None, expected: tuple[str, str]
) -> None:
    """One name is held against the champion."""
    assert chosen(NOW, first, second) == expected


@pytest.mark.parametrize(("first", "second"), [("v1", None), ("v3", "v3")])
def test_a_version_is_not_compared_with_itself(first: str, second: str | None) -> None:
    """Wrong usage."""
    with pytest.raises(UsageError, match="name another version"):
        chosen(NOW, first, second)


def test_where_nobody_waits_two_names_are_needed() -> None:
    """And each has to be known."""
    alone = Offices(enumerate(ENTRIES[:1]))
    with pytest.raises(UsageError, match="no version waits"):
        chosen(alone, None, None)
    with pytest.raises(RejectError, match="no model version"):
        chosen(alone, "v7", None)


def test_only_sessions_that_neither_has_seen_are_compared() -> None:
    """After the later one's training."""
    assert comparing._unseen_after(NOW, ("v1", "v4")) == date(2023, 4, 1)
    assert comparing._unseen_after(NOW, ("v2", "v0")) == date(2023, 2, 1)
