"""The shapes of answers about model versions and their skill."""

from datetime import date as Date  # noqa: N812  (shapes have a field of that name)
from datetime import datetime
from typing import Any

from web.shapes import Shape


class Measured(Shape):
    """Errors in rupees beside persistence's on the same pairs; null where nothing is known."""

    pairs: int
    mae: float | None
    rmse: float | None
    baseline_mae: float | None
    baseline_rmse: float | None
    skill: float | None
    """1 - MSE / persistence's MSE."""
    coverage_95: float | None


class LeaderLine(Measured):
    """A symbol or a model version with its figures."""

    name: str


class Leaderboard(Shape):
    """The best first, by skill; those without skill (no pair) at the end."""

    by: str
    sessions: int | None
    items: list[LeaderLine]


class SkillLine(Measured):
    """A version on one session."""

    date: Date


class Skill(Shape):
    """A version's skill, session by session (oldest first), and over all of them."""

    model_version: str
    overall: Measured
    items: list[SkillLine]


class Model(Shape):
    """A version as its training told, how it did since, and whether it serves."""

    model_version: str
    role: str
    """champion, challenger, newest (both in shadow), former champion, or never served."""
    terms: list[dict[str, Any]]
    """When it came into office: the entry on `models`, from which session on, and why."""
    trained_at: datetime | None
    measured: Measured
    training: dict[str, Any]
    """The fields of ModelTrained, with skill and MAPE in percent."""
    mlflow: str | None
