"""The learners that a training fits: what they are, and why those (docs/decisions/0024)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor, StackingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from tasks.core.linear import fit_linear
from tasks.core.skill import Vector
from tasks.core.training_rows import Values

Sessions = pd.Series
"""The session of each row."""


class Regressor(Protocol):
    """What forecasts log returns, (n,), from features, (n, features)."""

    n_features_in_: int

    def predict(self, X: NDArray[np.float64]) -> Vector:  # noqa: N803  (scikit-learn's name)
        """Forecast."""


Learner = Callable[[Values, Vector, Sessions, int], Regressor]
"""Fits features (n, features; no column without a value), log returns (n,) and sessions (n,) with a seed."""

WEIGHTS = {"absolute": 0.3, "squared": 0.25, "linear": 0.1, "relative": 0.7}
"""Of the members' forecasts in their sum. How a symbol moves beside its market all four tell, each too
cautiously: there the weights sum to 1.35. How the whole market moves, three do: 0.65 of what they say."""
CALMEST = 0.005
"""Least deviation that a session is said to have: one in which hardly anything moved is no better witness."""


class Boosting(NamedTuple):
    """How a member's trees are grown."""

    loss: str
    trees: int
    rate: float
    share: float
    """Of the features, tried at each split: fewer make trees differ, and cost less."""


BOOSTED = {
    "absolute": Boosting("absolute_error", trees=130, rate=0.09, share=0.3),
    "squared": Boosting("squared_error", trees=70, rate=0.08, share=1.0),
    "relative": Boosting("squared_error", trees=160, rate=0.09, share=0.3),
}
"""By member; 360 trees load and forecast a session well within what is allowed (see bench models)."""


def boosted(how: Boosting, seed: int) -> HistGradientBoostingRegressor:
    """Build boosted trees; they take missing values as they are."""
    return HistGradientBoostingRegressor(
        loss=how.loss,
        learning_rate=how.rate,
        max_iter=how.trees,
        max_leaf_nodes=31,
        min_samples_leaf=200,
        l2_regularization=10.0,
        max_features=how.share,
        early_stopping=False,
        random_state=seed,
    )


def fit_blend(features: Values, target: Vector, sessions: Sessions, seed: int) -> StackingRegressor:
    """Fit the members and return their weighted sum, which forecasts one row without looking at others.

    Args:
        features: (n, features), NaN where missing; see `fillable`.
        target: (n,) log returns.
        sessions: (n,) the session of each row.
        seed: Of the trees.
    """
    by_session = pd.Series(target).groupby(sessions.to_numpy())
    relative = target - by_session.transform("mean").to_numpy()
    calm = calmness(by_session.transform("std").to_numpy())

    def grown(member: str, wanted: Vector, weights: Vector | None) -> Regressor:
        made: Regressor = boosted(BOOSTED[member], seed).fit(features, wanted, sample_weight=weights)
        return made

    return weighted_sum(
        {
            "absolute": grown("absolute", target, calm),
            "squared": grown("squared", target, None),
            "linear": fit_linear(features, target),
            "relative": grown("relative", relative, calm),
        }
    )


def calmness(deviations: Vector) -> Vector:
    """Weigh rows by the inverse of their session's deviation of returns, (n,): 1 on average.

    A wild session would count for many calm ones otherwise, by the squares of its returns.
    """
    weights: Vector = np.reciprocal(np.maximum(np.nan_to_num(deviations), CALMEST))
    weights /= weights.mean()
    return weights


def weighted_sum(members: Mapping[str, Regressor]) -> StackingRegressor:
    """Join fitted members; their coefficients are WEIGHTS, which the identity matrix teaches exactly."""
    weights = np.array([WEIGHTS[name] for name in members])
    final = LinearRegression(fit_intercept=False).fit(np.eye(len(weights)), weights)
    frozen = [(name, FrozenEstimator(member)) for name, member in members.items()]
    width = next(iter(members.values())).n_features_in_
    joined = StackingRegressor(frozen, final_estimator=FrozenEstimator(final), cv="prefit")
    return joined.fit(np.zeros((1, width)), np.zeros(1))


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the learners' arithmetic on one thread.

    Threads that share busy cores wait for each other at every barrier: with eight processes on two cores a
    fit on two threads took 350 s instead of 11 s, and a prediction 125 ms instead of 6 ms.
    """
    with _pools().limit(limits=1):
        yield


def fillable(features: Values) -> Values:
    """Put a constant where a feature has no value at all: as useless, and scikit-learn's trees take it."""
    empty = np.isnan(features).all(axis=0)
    return np.where(empty, np.float32(0), features) if empty.any() else features
