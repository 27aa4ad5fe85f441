"""One fold of the walk forward: every learner is trained on what came before it, and forecasts it.

`python -m bench.skill_fold ROWS NAME FOLDER` does so in this process; what is there is not done again.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import pandas as pd

from bench.processes import peak, say, tell
from bench.skill_rows import CHAPTER, CHOSEN_UNTIL, load
from tasks.core.catalogue import LEARNED
from tasks.core.features import FEATURE_SET
from tasks.core.learners import BOOSTED, Learner, Regressor, Sessions, boosted, fit_blend
from tasks.core.linear import fit_linear
from tasks.core.skill import Vector
from tasks.core.training import TrainedModel, predict, train
from tasks.core.training_rows import TrainingRows, Values
from tasks.core.walkforward import Fold, every, forecast_fold, yearly

FIRST_YEAR = 2019
SESSIONS = 60
"""Of a fold of the last test: so often a model is trained anew there."""
TIMED = 20
"""Sessions whose predictions are timed, one by one."""


def trees(features: Values, target: Vector, _sessions: Sessions, seed: int) -> Regressor:
    """Fit boosted trees alone."""
    model: Regressor = boosted(BOOSTED["squared"], seed).fit(features, target)
    return model


def ridge(features: Values, target: Vector, _sessions: Sessions, _seed: int) -> Regressor:
    """Fit the ridge alone."""
    model: Regressor = fit_linear(features, target)
    return model


class Candidate(NamedTuple):
    """What is compared."""

    told: str
    learn: Learner
    features: Sequence[str]


CANDIDATES = {
    "blend": Candidate("the product's blend", fit_blend, LEARNED),
    "trees": Candidate("boosted trees, squared error", trees, LEARNED),
    "ridge": Candidate("ridge", ridge, LEARNED),
    "chapter": Candidate("boosted trees, the chapter's four features", trees, CHAPTER),
}


def folds_of(days: Sequence[date]) -> dict[str, list[Fold]]:
    """Cut sessions: calendar years for choosing, then the last test, where there are sessions of it."""
    # what is forecast from the last session for choosing is about the first one of the last test
    choosing = [day for day in days if day < CHOSEN_UNTIL]
    folds = {"choosing": yearly(choosing, FIRST_YEAR)}
    if days[-1] > CHOSEN_UNTIL:
        folds["last test"] = every(days, CHOSEN_UNTIL, days[-1], SESSIONS)
    return folds


def days_of(rows: TrainingRows) -> list[date]:
    """List the sessions that rows are of."""
    return [day.date() for day in rows.keys["date"].drop_duplicates()]


def measure(
    rows: TrainingRows, fold: Fold, candidate: Candidate, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Train a candidate and forecast a fold; returns the forecasts, and what took how long.

    Training includes the calibration of intervals; predictions are the product's, a session at a time.
    """
    took: dict[str, float] = {}
    made: list[TrainedModel] = []

    def fit(known: TrainingRows, data_end: date) -> TrainedModel:
        began = time.perf_counter()
        made.append(
            train(known, data_end=data_end, seed=seed, feature_set=FEATURE_SET, learn=candidate.learn)
        )
        took["training_seconds"] = time.perf_counter() - began
        return made[-1]

    told = forecast_fold(rows, fold, fit)
    took["prediction_ms"] = _prediction_ms(made[0], rows, fold)
    return told, took | {"rows": float(made[0].card.rows)}


def _prediction_ms(model: TrainedModel, rows: TrainingRows, fold: Fold) -> float:
    """Median milliseconds that one session's predictions take, from numbers to rupees."""
    days = rows.keys["date"]
    spent = []
    for day in days[days >= pd.Timestamp(fold.since)].drop_duplicates().iloc[:TIMED]:
        one = rows.where((days == day).to_numpy(dtype=np.bool_))
        frame = pd.DataFrame(one.features, columns=list(one.names), dtype=float)
        frame = frame.assign(symbol=one.keys["symbol"], last_close=one.keys["last_close"])
        began = time.perf_counter()
        predict(model, frame)
        spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent))


def main() -> None:
    """Forecast one fold by every candidate."""
    parser = argparse.ArgumentParser(prog="python -m bench.skill_fold", description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("name", help="of the fold")
    parser.add_argument("folder", type=Path, help="where forecasts are kept")
    options = parser.parse_args()
    for name, candidate in CANDIDATES.items():
        forecasts = options.folder / f"{options.name}.{name}.parquet"
        if forecasts.exists():
            continue
        say(f"  {options.name}: {candidate.told}")
        rows = load(options.rows, candidate.features)
        fold = next(f for kind in folds_of(days_of(rows)).values() for f in kind if f.name == options.name)
        told, took = measure(rows, fold, candidate)
        forecasts.with_suffix(".json").write_bytes(orjson.dumps(took | {"peak": peak()}))
        told.to_parquet(forecasts.with_suffix(".new"))
        forecasts.with_suffix(".new").rename(forecasts)
    tell({"fold": options.name})


if __name__ == "__main__":
    main()
