"""Judge a model on sessions it was not fitted on, and decide whether it should serve."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.core.skill import PairedTest, diebold_mariano, hit_rate, mae, rank_ic, rmse
from tasks.core.training import TrainedModel, predict_return
from tasks.core.training_rows import TrainingRows

ALPHA = 0.05
"""One-sided level of the promotion test."""


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
class Promotion:
    """Whether a version becomes champion, and the sentence that explains it."""

    promoted: bool
    why: str


def evaluate(model: TrainedModel, rows: TrainingRows) -> Evaluation:
    """Measure `model` on rows with a known target (see `holdout_rows`), n > 0.

    Rupees are of the day before: the actual close is last_close x exp(target), that is, free of corporate
    actions. Persistence forecasts last_close.
    """
    target, predicted, keys = rows.target, predict_return(model, rows), rows.keys
    last, flat = keys["last_close"].to_numpy(dtype=float), np.zeros(len(rows))
    performance = _errors(last, target, predicted)
    ranking = {"hit_rate": hit_rate(target, predicted), "rank_ic": rank_ic(keys["date"], target, predicted)}
    performance |= {name: value for name, value in ranking.items() if np.isfinite(value)}
    losses = pd.DataFrame({"model": (target - predicted) ** 2, "persistence": target**2, "rows": 1.0})
    by_session = losses.groupby(keys["date"].to_numpy())
    sessions = by_session.mean().assign(rows=by_session.size()).rename_axis("date")
    detail = keys[["symbol", "date", "target"]].assign(predicted=predicted)
    return Evaluation(performance, _errors(last, target, flat), sessions, detail)


def verdict(candidate: Evaluation, champion: Evaluation | None = None) -> Promotion:
    """Promote a candidate that beats persistence, and the champion where there is one.

    Both evaluations must be of the same rows. Each comparison is `diebold_mariano` on the sessions' mean
    squared return errors, one-sided at 5 %.

    Raises:
        ValueError: the champion was not judged on the candidate's sessions, or there are fewer than seven.
    """
    losses = candidate.sessions["model"].to_numpy(dtype=float)
    rivals = {"persistence": candidate.sessions["persistence"]}
    if champion is not None:
        rivals["the champion"] = champion.sessions["model"].reindex(candidate.sessions.index)
    tests = {name: diebold_mariano(losses, rival.to_numpy(dtype=float)) for name, rival in rivals.items()}
    lost = [name for name, test in tests.items() if not test.p_value < ALPHA]
    figures = "; ".join(_figures(name, rivals[name], test) for name, test in tests.items())
    word = f"not clearly better than {' nor '.join(lost)}" if lost else f"better than {' and '.join(tests)}"
    return Promotion(not lost, f"{word} on {len(losses)} held-out sessions at {ALPHA:.0%}: {figures}")


def _errors(last: np.ndarray, target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    actual, forecast = last * np.exp(target), last * np.exp(predicted)
    return {
        "mae": mae(actual, forecast),
        "rmse": rmse(actual, forecast),
        "mape": 100 * mae(np.ones(len(last)), forecast / actual),
        "mae_return": mae(target, predicted),
        "rmse_return": rmse(target, predicted),
    }


def _figures(name: str, rival: pd.Series, test: PairedTest) -> str:
    gain = test.mean / float(rival.mean()) if float(rival.mean()) else 0.0
    word = "lower" if gain >= 0 else "higher"
    return (
        f"squared error {abs(gain):.1%} {word} than {name}'s (t {test.statistic:.2f}, p {test.p_value:.3f})"
    )
