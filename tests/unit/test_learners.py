"""The learners: what is fitted in blocks and single precision is what scikit-learn fits on the whole."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tasks.core import learners, linear
from tasks.core.learners import BOOSTED, WEIGHTS, fillable, fit_blend, one_thread
from tasks.core.linear import CLIP_SIGMA, PENALTY, fit_linear

ROWS, FEATURES, SESSIONS = 12_000, 12, 60
MOST_MEGABYTES = 1_600
PEAK = """
import re
import numpy as np, pandas as pd
from datetime import date
from tasks.core import learners
from tasks.core.training import train
from tasks.core.training_rows import TrainingRows

learners.BOOSTED = {name: how._replace(trees=2) for name, how in learners.BOOSTED.items()}
symbols, sessions, width = 320, 1250, 77
generator, n = np.random.default_rng(0), symbols * sessions
values = np.empty((width, n), dtype=np.float32)
for column in values:
    column[:] = generator.standard_normal(n, dtype=np.float32)
days = np.repeat(pd.bdate_range("2019-01-01", periods=sessions + 1), symbols)
keys = pd.DataFrame({"symbol": np.tile([f"S{k:03}" for k in range(symbols)], sessions), "date": days[:n],
    "target_date": days[symbols:], "last_close": 100.0, "target": 0.01 * values[0].astype(np.float64)})
train(TrainingRows(keys, values.T, tuple(f"f{k}" for k in range(width))), data_end=date(2099, 1, 1))
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024)
"""


def market(seed: int = 0) -> tuple[Any, Any, Any]:
    """Features with seven digits and holes, returns that depend on some of them, and the rows' sessions."""
    generator = np.random.default_rng(seed)
    exact = generator.standard_t(4, (ROWS, FEATURES)).round(6)
    exact[generator.random(exact.shape) < 0.03] = np.nan
    known = np.nan_to_num(exact)
    target = 0.01 * np.tanh(known[:, 0]) + 0.004 * known[:, 1] * (known[:, 2] > 0)
    sessions = pd.Series(np.repeat(np.arange(SESSIONS), ROWS // SESSIONS))
    return exact, target + generator.normal(0, 0.02, ROWS), sessions


def whole_linear() -> Any:
    """The ridge as scikit-learn's own steps, fitted one after the other."""
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -CLIP_SIGMA, "a_max": CLIP_SIGMA}),
        Ridge(alpha=PENALTY),
    )


@pytest.mark.parametrize("block", [700, 100_000])
def test_the_ridge_is_that_of_scikit_learn(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many blocks it is summed over, also with a feature that has no value, or one value alone."""
    monkeypatch.setattr(linear, "BLOCK", block)
    exact, target, _ = market()
    exact[:, 5], exact[:, 6] = np.nan, 3.5
    found, wanted = fit_linear(exact.astype(np.float32), target), whole_linear().fit(exact, target)
    assert np.abs(found.predict(exact) - wanted.predict(exact)).max() < 1e-8
    assert np.allclose(found[-1].coef_, wanted[-1].coef_, atol=1e-9)


def test_the_blend_is_that_of_whole_double_precision() -> None:
    """Members fitted on the exact values, weighted by hand: forecasts of returns equal to a millionth."""
    exact, target, sessions = market(seed=1)
    returns = pd.Series(target).groupby(sessions)
    calm = 1 / returns.transform("std").to_numpy()
    rounded = exact.astype(np.float32)

    def grown(member: str, wanted: Any, weights: Any) -> Any:
        return learners.boosted(BOOSTED[member], 0).fit(exact, wanted, sample_weight=weights)

    with one_thread():
        members = {
            "absolute": grown("absolute", target, calm / calm.mean()),
            "squared": grown("squared", target, None),
            "linear": whole_linear().fit(exact, target),
            "relative": grown("relative", target - returns.transform("mean").to_numpy(), calm / calm.mean()),
        }
        wanted = sum(WEIGHTS[name] * member.predict(exact) for name, member in members.items())
        found = fit_blend(rounded, target, sessions, seed=0).predict(rounded.astype(np.float64))
    assert np.abs(found - wanted).max() < 1e-6


def test_a_wild_session_counts_for_no_more_than_a_calm_one() -> None:
    """Twice the deviation is half the weight; one that hardly moves, or holds one row, is not endless."""
    weights = learners.calmness(np.array([0.01, 0.02, 0.0, np.nan]))
    assert weights.mean() == pytest.approx(1)
    assert weights / weights[0] == pytest.approx([1, 0.5, 2, 2])


def test_a_feature_without_a_value_becomes_a_constant() -> None:
    """Which the trees take and make nothing of; the others stay, and without one nothing is copied."""
    features = np.float32([[1.0, np.nan], [np.nan, np.nan]])
    assert np.array_equal(fillable(features), np.float32([[1.0, 0.0], [np.nan, 0.0]]), equal_nan=True)
    assert fillable(features[:, :1]) is not features
    assert np.shares_memory(fillable(features[:, :1]), features)
    assert isinstance(learners.boosted(BOOSTED["squared"], 0), HistGradientBoostingRegressor)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_training_on_a_long_history_needs_little_memory() -> None:
    """400,000 rows of 77 features, in a process of its own; few trees, since they hold next to nothing.

    The peak of its own memory: what getrusage tells begins with that of the process that started it.
    """
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert float(done.stdout) < MOST_MEGABYTES
