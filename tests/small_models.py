"""A small market whose next return one feature tells in part, and a training on it; made once."""

from datetime import date
from functools import cache

import numpy as np
import pandas as pd

from tasks.core import learners
from tasks.core.explained import Explained, explain
from tasks.core.promotion import Evaluation, evaluate, verdict
from tasks.core.training import TrainedModel, holdout_rows, train
from tasks.core.training_rows import TrainingRows
from tasks.training import Trained

FEATURES = ("signal", "noise", "vol_20", "turnover_mean_20")
SESSIONS, SYMBOLS, HELD = 120, 25, 30
UNTIL = date(2024, 12, 31)


def small(trees: int) -> dict[str, learners.Boosting]:
    """How members are boosted, of so few trees each."""
    return {name: how._replace(trees=trees) for name, how in learners.BOOSTED.items()}


@cache
def rows() -> TrainingRows:
    """All rows: `signal` explains half of the next return's variance, of the most traded symbols alone."""
    generator, n = np.random.default_rng(1), SESSIONS * SYMBOLS
    days = pd.bdate_range("2024-01-01", periods=SESSIONS + 1)
    turnover = np.tile(np.linspace(1, 9, SYMBOLS), SESSIONS)
    signal = generator.normal(size=n)
    frame = pd.DataFrame(
        {
            "symbol": np.tile([f"S{k:02}" for k in range(SYMBOLS)], SESSIONS),
            "date": np.repeat(days[:-1], SYMBOLS),
            "target_date": np.repeat(days[1:], SYMBOLS),
            "last_close": generator.uniform(100, 900, n),
            "signal": signal,
            "noise": generator.normal(size=n),
            "vol_20": 0.02,
            "turnover_mean_20": turnover,
        }
    )
    told = np.where(turnover > 5, signal, 0.0)
    target = 0.014 * (told + generator.normal(size=n))
    return TrainingRows.of(frame.assign(target=target), FEATURES)


@cache
def model() -> TrainedModel:
    """A model of that market."""
    return train(rows(), data_end=UNTIL, holdout_sessions=HELD, feature_set="2")


@cache
def held() -> TrainingRows:
    """The rows that it was not fitted on."""
    return holdout_rows(rows(), model())


@cache
def evaluation() -> Evaluation:
    """How it did on them."""
    return evaluate(model(), held())


@cache
def explained() -> Explained:
    """The same, looked at from all sides."""
    return explain(model(), held(), evaluation())


@cache
def trained() -> Trained:
    """All that a training leaves."""
    return Trained(model(), evaluation(), verdict(evaluation()), 7, explained())
