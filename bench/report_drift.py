"""The page about drift."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import Target, machine, rows
from tasks.core.drift import LIMITS
from tasks.core.drift_reference import KEPT, WEEK

if TYPE_CHECKING:
    from bench.drift import Figures

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "drift.md"
SESSIONS_A_YEAR = 230
TARGETS = (
    Target("weeks told in which features are shifted, %", 100, "{:.0f}"),
    Target("weeks told in which prices move more, %", 100, "{:.0f}"),
    Target("weeks told in which less is traded, %", 100, "{:.0f}"),
    Target("alarms a year on shuffled sessions", 0.5, "{:.2f}", most=True),
    Target("alarms a year on the market as it was, each answered", 6, "{:.1f}", most=True),
)
HEAD = """\
# Drift

Written by `python -m bench.drift --write`. {features} of the features that models learn from are judged, over
{source}: {sessions} sessions from {first} to {last}. In each session the newest {week} are held against a
reference, the {kept} sessions up to the training that it is of. A feature has drifted if its rows are another
distribution (population stability index of at least {psi:g}) and the week is an unusual one among the weeks
of the reference (two-sample t-test, at most {q:.0%} false discoveries over all features). An alarm begins
after two sessions in a row in which at least {share:.0%} of the features have drifted, and ends below half of
that. The limits were chosen on these two years: what is told below is what they do here, not a promise.

## The market as it was

How many alarms begin depends on how old the reference is, that is, on what comes of an alarm.

| a new reference | sessions | with enough drifted features | alarms | a year |
|---|---|---|---|---|
"""
INJECTED = """
## Shifts

Each is put into the market at dates spread over the two years, with the year before as reference; `nothing`
says how many weeks would be told without a shift. A shift is told where it is larger than what the market
does by itself from one week to the next: a week in which prices move half as much again is nothing unusual.

| from a session on | weeks | told within {week} sessions | sessions until then, on average |
|---|---|---|---|
"""
SHUFFLED = """
## False alarms

The same sessions in another order: none is of a later time than the others, and what is told is told in
error. Blocks that stay together keep what moves slowly: a month that is unlike the year is told, and is.

| shuffled | sessions judged | with enough drifted features | alarms | a year |
|---|---|---|---|---|
"""


def page(figures: "Figures") -> str:
    """Write it."""
    limits = {"psi": LIMITS.psi, "q": LIMITS.false_discoveries, "share": LIMITS.share}
    text = HEAD.format(week=WEEK, kept=KEPT, **limits, **figures.market)
    text += "".join(_counted(name, one) for name, one in figures.real.items())
    for name, one in figures.real.items():
        text += f"\nA new reference {name}:\n\n" + "".join(f"- {line}\n" for line in one["told"])
    text += INJECTED.format(week=WEEK)
    for name, one in figures.injected.items():
        text += f"| {name} | {one['weeks']} | {one['found']} | {one['sessions']:.1f} |\n"
    text += SHUFFLED + "".join(_counted(name, one) for name, one in figures.shuffled.items())
    return text + "\n" + rows(TARGETS, reached(figures)) + _machine()


def reached(figures: "Figures") -> list[float | None]:
    """Give the figures of TARGETS."""
    shifts = [one for name, one in figures.injected.items() if name != "nothing"]
    found = [100 * one["found"] / one["weeks"] for one in shifts]
    return [*found, yearly(figures.shuffled["sessions"]), yearly(figures.real["at each alarm"])]


def yearly(found: dict[str, Any]) -> float:
    """Alarms a year."""
    return float(found["alarms"] * SESSIONS_A_YEAR / found["sessions"])


def _counted(name: str, found: dict[str, Any]) -> str:
    loud = 100 * found["loud"] / found["sessions"]
    return (
        f"| {name} | {found['sessions']:,} | {found['loud']:,} ({loud:.1f} %) | {found['alarms']} |"
        f" {yearly(found):.1f} |\n"
    )


def _machine() -> str:
    return machine("one process", *(f"{name} {version(name)}" for name in ("numpy", "scipy", "pandas")))
