"""The page of `make skill`: what forecasts are worth, period by period, and the figures beside it."""

import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.report import Target, machine, rows
from bench.skill_fold import CANDIDATES
from bench.skill_measures import ALL, CLEAN

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "skill.md"
FIGURES = PAGE.with_suffix(".json")
Measured = dict[str, float]

HEAD = """\
# Forecast skill

Written by `make skill`, which needs the exchange's files (`NEPSE_DATA`); `skill.json` beside this page
holds the same figures, and absolute errors of every line. Here {rows:,} rows of {symbols} symbols, sessions
{first} to {last}. Nothing in it is a claim of trading profit: much of what can be forecast from one close
to the next is bounce, staleness and limits carried over, which nobody can trade on.

Every forecast is of a session that its model has not seen. The years are walked through one by one: trained
on all sessions before a year, forecast that year; the last one goes on to the end of the history. Periods
are named for the sessions that forecasts are made from; each is about the next one. In the last test a model
is trained anew every 60 sessions. As in the product, the newest 60 sessions before are kept from fitting,
and calibrate the intervals; one session more is left out as an embargo. Choices (features, learners,
weights) rest on the years alone.

**Skill** is the share of persistence's error that is saved, persistence being "the close stays": RMSE and
MAE of returns, then of the close in rupees. **Rank IC** is the rank correlation within a session, with the
t of its mean (Newey-West). **Hit** is the share of directions that were right, **balanced** the mean of
that for rises and for falls. **DM** is the Diebold-Mariano test of the sessions' mean squared errors,
one-sided. **Cover** is the share of rows within the 80 % and 95 % intervals. Training is one fit with its
calibration, predicting one session of all symbols with intervals. Each figure is explained in
[how models are judged](../explanation/models.md#the-figures).

Clean rows: traded in both sessions, the next close within ±10.5 % of the last; outside is a corporate
action, not a move. All rows: those too.
"""
TITLES = {
    CLEAN: "Clean rows",
    ALL: "All rows, corporate actions included",
}
COLUMNS = (
    "rows | RMSE ret % | MAE ret % | RMSE Rs % | MAE Rs % | rank IC | t | hit | balanced | DM t | DM p"
    " | cover 80 | 95 |"
)
RULE = "---|" * 13
NOT_RUN = """
The last test was not run. `make skill` does; its figures are to be looked at once nothing is chosen any more.
"""
TARGETS = (
    Target("RMSE skill in returns, %, last test", 3.8, "{:.2f}"),
    Target("its lower bound of 95 % (block bootstrap), %", 3.5, "{:.2f}"),
    Target("MAE skill in returns, %, last test", 3.2, "{:.2f}"),
    Target("rank IC, last test", 0.23, "{:.3f}"),
    Target("directional hit, last test", 0.58, "{:.3f}"),
    Target("DM p until 2024-09", 0.001, "{:.1e}", most=True),
    Target("DM p from 2024-10", 0.001, "{:.1e}", most=True),
    Target("80 % interval: points of coverage amiss, last test", 2, "{:.1f}", most=True),
    Target("95 % interval: points of coverage amiss, last test", 2, "{:.1f}", most=True),
    Target("the same in the worst group of liquidity, 80 %", 4, "{:.1f}", most=True),
    Target("the same in the worst group of liquidity, 95 %", 4, "{:.1f}", most=True),
    Target("seconds of a training on the longest history", 300, "{:.0f}", most=True),
    Target("milliseconds of a session's predictions, of all folds the most", 25, "{:.1f}", most=True),
    Target("MB of memory held by a process", 2_500, "{:,.0f}", most=True),
)
SHAPES = {
    "rank_ic": "{:.3f}",
    "rank_ic_t": "{:.1f}",
    "hit": "{:.3f}",
    "balanced": "{:.3f}",
    "dm_t": "{:.1f}",
    "dm_p": "{:.1e}",
    "coverage_80": "{:.3f}",
    "coverage_95": "{:.3f}",
}
"""How the measures of a line are written, in the order of COLUMNS."""
LEVELS = {"80": 80.0, "95": 95.0}


def page(figures: dict[str, Any]) -> str:
    """Write the page from the figures of `bench.skill.run`."""
    market, told = figures["market"], figures["periods"]["blend"]
    text = HEAD.format(first=market["span"][0], last=market["span"][1], **market)
    text += "\n" + rows(TARGETS, reached(figures))
    for population, title in TITLES.items():
        text += f"\n## {title}\n"
        for period in told:
            text += _period(figures, period, population)
    text += "" if "last test" in told else NOT_RUN
    for period in [name for name in ("all years", "last test") if name in told]:
        text += f"\n## By groups, {period}: the blend on clean rows\n\n| group | {COLUMNS}\n|---|{RULE}\n"
        groups = {name: one for name, one in told[period].items() if name not in {"kind", CLEAN, ALL}}
        text += "".join(_line(name, one) for name, one in groups.items())
    text += _absolute(figures) + _took(figures)
    return text + str(figures["machine"])


def measured_on() -> str:
    """Tell when and on what it was measured."""
    return machine("one process at a time", *(f"{n} {version(n)}" for n in ("scikit-learn", "numpy")))


def label(figures: dict[str, Any], period: str) -> str:
    """Name a period by what it spans: a year that goes on into the next one says until when."""
    spans = {name: (since, until) for fold in figures["folds"].values() for name, since, until in fold}
    _, until = spans.get(period, ("", period))
    return period if not period.isdecimal() or until[:4] == period else f"{period} to {until[:7]}"


def reached(figures: dict[str, Any]) -> list[float | None]:
    """Give the figures of TARGETS."""
    took = figures["took"]["blend"].values()
    common = [
        max(took, key=lambda one: one["rows"])["training_seconds"],
        max(one["prediction_ms"] for one in took),
        figures["peak"],
    ]
    told = figures["periods"]["blend"]
    if "last test" not in told:
        return [None] * (len(TARGETS) - len(common)) + common
    test = told["last test"][CLEAN]
    by_liquidity = [one for name, one in told["last test"].items() if name.startswith("liquidity")]
    return [
        100 * test["skill_rmse_return"],
        100 * test["skill_low"],
        100 * test["skill_mae_return"],
        test["rank_ic"],
        test["hit"],
        told["until 2024-09"][CLEAN]["dm_p"],
        told["from 2024-10"][CLEAN]["dm_p"],
        *(amiss(test, level) for level in LEVELS),
        *(max(amiss(one, level) for one in by_liquidity) for level in LEVELS),
        *common,
    ]


def amiss(one: Measured, level: str) -> float:
    """Points by which an interval's coverage differs from what it says."""
    return abs(100 * one[f"coverage_{level}"] - LEVELS[level])


def _period(figures: dict[str, Any], period: str, population: str) -> str:
    found = {name: told[period][population] for name, told in figures["periods"].items()}
    sessions = next(iter(found.values()))["sessions"]
    text = f"\n### {label(figures, period)}: {sessions:,} sessions\n\n| | {COLUMNS}\n|---|{RULE}\n"
    return text + "".join(_line(CANDIDATES[name].told, one) for name, one in found.items())


def _line(name: str, one: Measured) -> str:
    errors = ("rmse_return", "mae_return", "rmse_rupees", "mae_rupees")
    cells = [f"{one['rows']:,}", *(_cell(one, f"skill_{error}", "{:.2f}", 100) for error in errors)]
    cells += [_cell(one, measure, shape) for measure, shape in SHAPES.items()]
    return f"| {name} | {' | '.join(cells)} |\n"


def _cell(one: Measured, measure: str, shape: str, times: int = 1) -> str:
    """Write a figure; nothing where there is none, as the rank correlation of sessions with one row."""
    found = one.get(measure)
    return "" if found is None or math.isnan(found) else shape.format(times * found)


def _absolute(figures: dict[str, Any]) -> str:
    """Tell the blend's errors beside persistence's, and the bounds of its skill."""
    text = "\n## Errors themselves: the blend, and persistence in brackets, clean rows\n\n"
    text += (
        "| period | RMSE ret % | MAE ret % | RMSE Rs | MAE Rs | RMSE skill ret %, 95 % bounds | width 80 |"
    )
    text += " 95 |\n|---|---|---|---|---|---|---|---|\n"
    for period, told in figures["periods"]["blend"].items():
        one, cells = told[CLEAN], []
        for error, unit in (("rmse_return", 100), ("mae_return", 100), ("rmse_rupees", 1), ("mae_rupees", 1)):
            cells.append(f"{unit * one[error]:.3f} ({unit * one[f'persistence_{error}']:.3f})")
        low, high = (100 * one.get(f"skill_{end}", float("nan")) for end in ("low", "high"))
        cells.append(f"{100 * one['skill_rmse_return']:.2f} ({low:.2f} to {high:.2f})")
        cells += [f"{100 * one[f'width_{level}']:.1f} %" for level in LEVELS]
        text += f"| {label(figures, period)} | {' | '.join(cells)} |\n"
    return text


def _took(figures: dict[str, Any]) -> str:
    """Tell how long training and predicting took, by fold."""
    text = "\n## Time: seconds of a training / milliseconds of a session's predictions\n\n"
    text += f"| fold | rows learned | {' | '.join(one.told for one in CANDIDATES.values())} |\n"
    text += f"|---|---|{'---|' * len(CANDIDATES)}\n"
    for fold, blend in figures["took"]["blend"].items():
        cells = [figures["took"][name][fold] for name in CANDIDATES]
        both = [f"{one['training_seconds']:.1f} / {one['prediction_ms']:.1f}" for one in cells]
        text += f"| {label(figures, fold)} | {blend['rows']:,.0f} | {' | '.join(both)} |\n"
    return text
