"""The model card: what a person should know of a version before trusting it (after Mitchell et al., 2019)."""

from collections.abc import Mapping

import pandas as pd

from tasks.core.explained import LIQUIDITY, Explained
from tasks.core.markdown import table
from tasks.core.promotion import Evaluation, Verdict
from tasks.core.training import Card

NAMED = 10
"""Features that the card names."""
USE = """\
Forecasts the next session's close of NEPSE shares, with an 80 % and a 95 % interval, for every symbol that
trades. It is made for watching forecasts and their errors, not for trading: costs, liquidity and what orders
do to a price are in none of its figures, and there is no claim of a profit."""
LIMITS = """\
- It learned from the past: a change of rules, circuit limits or of who trades is not in it.
- Corporate actions are taken out: a return beyond 10.5 % is no move, is neither learned from nor judged, and
  no interval reaches it.
- What moves the whole market is hardly predictable; a forecast is mostly about a symbol beside the others.
- Debentures, funds and shares that rarely trade are forecast by the same learners; see the groups.
- A symbol without a trade in a session gets no forecast from it."""


def model_card(card: Card, evaluation: Evaluation, promotion: Verdict, explained: Explained) -> str:
    """Write the card as markdown, by sections."""
    sections = {
        "Use": USE,
        "Data": _data(card),
        "Figures": _figures(evaluation, explained),
        "Groups": _groups(explained.liquidity),
        "Intervals": _intervals(explained.coverage),
        "Features": _features(card, explained.importance),
        "Decision": f"**{'promoted' if promotion.promoted else 'not promoted'}**: {promotion.why}",
        "Limits": LIMITS,
    }
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())


def _data(card: Card) -> str:
    return (
        f"Fitted on {card.rows} rows of {card.sessions} sessions from {card.training_start}, judged and"
        f" calibrated on {card.holdout_sessions} held-out sessions from {card.holdout_start}; nothing after"
        f" {card.training_end} is known to it. Feature set {card.feature_set or 'unnamed'}, seed {card.seed}."
    )


def _figures(evaluation: Evaluation, explained: Explained) -> str:
    """Compare measures with persistence's, then parts of the hold-out and the learners by two of them."""
    baseline = evaluation.baseline
    rows = [
        (name, f"{value:.4f}", f"{baseline[name]:.4f}" if name in baseline else "")
        for name, value in evaluation.performance.items()
    ]
    folds = {f"part {number} of the hold-out": one for number, one in enumerate(explained.folds, 1)}
    parts = folds | {f"the learner {name} alone": one for name, one in explained.members.items()}
    told = [(name, _cell(one, "rmse_return", 5), _cell(one, "rank_ic", 3)) for name, one in parts.items()]
    return "\n\n".join(
        (
            "On the held-out sessions; errors are rupees, those of returns log returns.",
            table(("measure", "model", "persistence"), rows),
            table(("of it", "rmse_return", "rank_ic"), told),
        )
    )


def _cell(measures: Mapping[str, float], name: str, digits: int) -> str:
    return f"{measures[name]:.{digits}f}" if name in measures else ""


def _groups(liquidity: pd.DataFrame) -> str:
    if liquidity.empty:
        return "No feature tells how much a symbol trades."
    rows = [
        (name, int(one["rows"]), f"{one['skill']:.1f}", f"{one['rank_ic']:.3f}")
        for name, one in liquidity.iterrows()
    ]
    head = ("turnover", "rows", "error below persistence's (%)", "rank IC")
    return f"Fifths of the rows by turnover (`{LIQUIDITY[0]}` where it is known).\n\n{table(head, rows)}"


def _intervals(coverage: Mapping[str, float]) -> str:
    told = ", ".join(f"{100 * share:.1f} % for {level} %" for level, share in coverage.items())
    return f"Calibrated on the rest of the hold-out and judged on each part of it, the intervals hold {told}."


def _features(card: Card, importance: Mapping[str, float]) -> str:
    rows = [(f"`{name}`", f"{cost:.2f}") for name, cost in list(importance.items())[:NAMED]]
    of = f"{len(card.features)} features, {len(importance)} of them shuffled one after the other"
    return f"{of}: percent by which that raises the error.\n\n{table(('feature', 'rise (%)'), rows)}"
