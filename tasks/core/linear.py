"""A ridge regression that is fitted block by block: the rows are never there twice in double precision."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tasks.core.skill import Vector
from tasks.core.training_rows import Values

CLIP_SIGMA = 4.0
"""A standardised feature beyond it is an error or a crash; either way a line through it misleads."""
PENALTY = 1000.0
"""Of the squared coefficients, in rows."""
BLOCK = 20_000
"""Rows at a time: 12 MB of double precision for 77 features."""


def fit_linear(features: Values, target: Vector) -> Pipeline:
    """Fit a ridge on imputed, standardised and clipped features; it keeps its head where trees overfit.

    The same as scikit-learn's own steps fitted one after the other: medians, then means and deviations, then
    the normal equations (Z'Z + penalty) b = Z'y of the centred columns, summed over blocks.

    Args:
        features: (n, features), n > 0.
        target: (n,) log returns.
    """
    steps = [
        ("impute", _imputer(features)),
        ("scale", StandardScaler()),
        ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -CLIP_SIGMA, "a_max": CLIP_SIGMA})),
    ]
    for rows in _blocks(len(features)):
        steps[1][1].partial_fit(steps[0][1].transform(features[rows].astype(np.float64)))
    return Pipeline([*steps, ("ridge", _ridge(Pipeline(steps), features, target))])


def _imputer(features: Values) -> SimpleImputer:
    """Let the medians be known of a single row, whose medians they are; 0 where there is no value."""
    medians = [pd.Series(column).median() for column in features.T]
    return SimpleImputer(strategy="median", keep_empty_features=True).fit(np.array([medians], dtype=float))


def _ridge(prepare: Pipeline, features: Values, target: Vector) -> Ridge:
    """Solve the normal equations and write the answer where scikit-learn's fit would."""
    width = features.shape[1]
    products, sums, moved = np.zeros((width, width)), np.zeros(width), np.zeros(width)
    centred = target - target.mean()
    for rows in _blocks(len(features)):
        block: NDArray[np.float64] = prepare.transform(features[rows].astype(np.float64))
        products += block.T @ block
        sums += block.sum(axis=0)
        moved += block.T @ centred[rows]
    means = sums / len(features)
    products += PENALTY * np.eye(width) - len(features) * np.outer(means, means)
    ridge = Ridge(alpha=PENALTY)
    ridge.coef_ = np.linalg.solve(products, moved)
    ridge.intercept_ = float(target.mean() - means @ ridge.coef_)
    ridge.n_features_in_ = width
    return ridge


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, rows, BLOCK))
