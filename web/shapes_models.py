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
    """A version on one session, and over the 20 sessions that end with it."""

    date: Date
    recent_skill: float | None
    recent_coverage_95: float | None


class Skill(Shape):
    """A version's skill, session by session (oldest first), and over all of them."""

    model_version: str
    overall: Measured
    items: list[SkillLine]


class ShadowLine(Measured):
    """A version in shadow on one session; `baseline` and `skill` are against what was served."""

    date: Date


class Shadow(Shape):
    """A version in shadow, session by session, beside what was served of the same closes."""

    model_version: str
    overall: Measured
    items: list[ShadowLine]


class IntervalPart(Shape):
    """A part of the range that closes fall in: the share that should, and that did."""

    part: str
    expected: float
    observed: float | None
    count: int


class Calibration(Shape):
    """Where closes fell within what was said of them, from below the interval of 95 % to above it."""

    model_version: str
    sessions: int
    judged: int
    coverage_80: float | None
    coverage_95: float | None
    items: list[IntervalPart]


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
