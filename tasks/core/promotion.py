"""Judge a model on sessions it was not fitted on, and decide whether it should serve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.core.skill import (
    PairedTest,
    Vector,
    diebold_mariano,
    hit_rate,
    mae,
    rank_ic,
    rmse,
    skill_score,
)
from tasks.core.training import TrainedModel, predict_return
from tasks.core.training_rows import TrainingRows

ALPHA = 0.05
"""One-sided level of the promotion test."""
MIN_SESSIONS = 20
"""A paired test on fewer decides nothing: a month is the least that shows more than one mood."""
IMPLAUSIBLE = {"skill": 0.15, "rank IC": 0.5}
"""Three times what research found possible, and twice: beyond it, features know what they can't know.

`skill` is the share of persistence's root mean squared return error that is saved.
"""


@dataclass(frozen=True)
class Evaluation:
    """A model and persistence on the same rows."""

    performance: dict[str, float]
    """mae, rmse (rupees), mape (percent), mae_return, rmse_return; hit_rate and rank_ic where defined."""
    baseline: dict[str, float]
    """mae, rmse, mae_return, rmse_return of persistence."""
    sessions: pd.DataFrame
    """A row a session (index `date`): mean squared return error `model` and `persistence`, and `rows`."""
    rows: pd.DataFrame
    """symbol, date, target, predicted (log returns)."""


@dataclass(frozen=True)
class Verdict:
    """Whether a version becomes champion, the sentence that explains it, and what it rests on."""

    promoted: bool
    why: str
    tests: dict[str, PairedTest]
    """By rival, `persistence` and `the champion`; one that too few sessions allow for is not there."""
    implausible: bool = False
    """Better than anything can be: a leak, whatever it beats."""


def evaluate(model: TrainedModel, rows: TrainingRows) -> Evaluation:
    """Measure `model` on rows with a known target (see `holdout_rows`), n > 0.

    Rupees are of the day before: the actual close is last_close x exp(target), that is, free of corporate
    actions. Persistence forecasts last_close.
    """
    target, predicted, keys = rows.target, predict_return(model, rows), rows.keys
    last, flat = keys["last_close"].to_numpy(dtype=float), np.zeros(len(rows))
    losses = pd.DataFrame({"model": (target - predicted) ** 2, "persistence": target**2, "rows": 1.0})
    by_session = losses.groupby(keys["date"].to_numpy())
    sessions = by_session.mean().assign(rows=by_session.size()).rename_axis("date")
    detail = keys[["symbol", "date", "target"]].assign(predicted=predicted)
    return Evaluation(measured(keys, predicted), _errors(last, target, flat), sessions, detail)


def measured(keys: pd.DataFrame, predicted: Vector) -> dict[str, float]:
    """Measure forecasts (n,) of rows with date, last_close and target, n > 0: `Evaluation.performance`."""
    target, last = (keys[name].to_numpy(dtype=float) for name in ("target", "last_close"))
    ranking = {"hit_rate": hit_rate(target, predicted), "rank_ic": rank_ic(keys["date"], target, predicted)}
    known = {name: value for name, value in ranking.items() if np.isfinite(value)}
    return _errors(last, target, predicted) | known


def evaluate_unseen(model: TrainedModel, rows: TrainingRows) -> Evaluation:
    """Measure a version on those rows that are of no session it was fitted on; there may be none."""
    unseen = rows.keys["date"] >= pd.Timestamp(model.card.holdout_start)
    if unseen.any():
        return evaluate(model, rows.where(unseen.to_numpy(dtype=np.bool_)))
    nothing = pd.DataFrame({"model": [], "persistence": [], "rows": []}, index=rows.keys["date"][:0])
    return Evaluation({}, {}, nothing, rows.keys[["symbol", "date", "target"]][:0].assign(predicted=np.nan))


def verdict(
    candidate: Evaluation, champion: Evaluation | None = None, lacking: Sequence[str] = ()
) -> Verdict:
    """Promote a candidate that beats persistence, and the champion where there is one.

    Each comparison is `diebold_mariano` on the sessions' mean squared return errors, one-sided at 5 %, on the
    sessions of both sides, which have to be `MIN_SESSIONS` at least. What is `IMPLAUSIBLE` is not promoted.

    Args:
        candidate: on its held-out sessions.
        champion: on those of them that it was not fitted on either (`evaluate_unseen`).
        lacking: features of the champion that the rows lack: it can't be measured, nor passed by unseen.
    """
    own = candidate.sessions["model"].rename("own")
    rivals = {"persistence": candidate.sessions["persistence"]}
    if champion is not None:
        rivals["the champion"] = champion.sessions["model"]
    pairs = {
        name: pd.concat([own, rival.rename("rival")], axis=1, join="inner") for name, rival in rivals.items()
    }
    tests = {name: _test(pair) for name, pair in pairs.items() if len(pair) >= MIN_SESSIONS}
    leaks = _implausible(candidate)
    obstacles = [*leaks, *_lost(tests), *_short(pairs), *_unknown(lacking)]
    word = ", ".join(obstacles) or f"better than {' and '.join(tests)}"
    why = "; ".join(_figures(name, pairs[name], test) for name, test in tests.items())
    told = f"{word} on {len(own)} held-out sessions at {ALPHA:.0%}" + (f": {why}" if why else "")
    return Verdict(not obstacles, told, tests, implausible=bool(leaks))


def _test(pair: pd.DataFrame) -> PairedTest:
    return diebold_mariano(pair["own"].to_numpy(dtype=float), pair["rival"].to_numpy(dtype=float))


def _implausible(found: Evaluation) -> list[str]:
    skill = skill_score(found.performance["rmse_return"], found.baseline["rmse_return"])
    reached = {"skill": skill, "rank IC": abs(found.performance.get("rank_ic", 0.0))}
    beyond = [f"{name} {value:.2f}" for name, value in reached.items() if value > IMPLAUSIBLE[name]]
    return [f"implausibly good, more likely a leak ({', '.join(beyond)})"] if beyond else []


def _lost(tests: dict[str, PairedTest]) -> list[str]:
    lost = [name for name, test in tests.items() if not test.p_value < ALPHA]
    return [f"not clearly better than {' nor '.join(lost)}"] if lost else []


def _short(pairs: dict[str, pd.DataFrame]) -> list[str]:
    return [
        f"not comparable with {name}: {len(pair)} sessions that neither was fitted on, not {MIN_SESSIONS}"
        for name, pair in pairs.items()
        if len(pair) < MIN_SESSIONS
    ]


def _unknown(lacking: Sequence[str]) -> list[str]:
    return [f"not comparable with the champion: the rows lack {', '.join(lacking)}"] if lacking else []


def _errors(last: np.ndarray, target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    actual, forecast = last * np.exp(target), last * np.exp(predicted)
    return {
        "mae": mae(actual, forecast),
        "rmse": rmse(actual, forecast),
        "mape": 100 * mae(np.ones(len(last)), forecast / actual),
        "mae_return": mae(target, predicted),
        "rmse_return": rmse(target, predicted),
    }


def _figures(name: str, pair: pd.DataFrame, test: PairedTest) -> str:
    level = float(pair["rival"].mean())
    gain = test.mean / level if level else 0.0
    word = "lower" if gain >= 0 else "higher"
    told = f"squared error {abs(gain):.1%} {word} than {name}'s (t {test.statistic:.2f}, p {test.p_value:.3f}"
    return told + (f", {test.sessions} sessions)" if name == "the champion" else ")")
