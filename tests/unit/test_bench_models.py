"""The benchmark of models: its vectors are a session's, wrong answers are never timed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import market, models
from tasks.core import features
from tasks.core.catalogue import LEARNED
from tasks.core.simulator import history_table, simulate
from tasks.core.tidy import by_day, tidy
from tasks.core.training import TrainedModel, train
from tasks.core.training_rows import TrainingRows


@pytest.fixture(scope="module")
def small() -> market.Market:
    """A simulated market that fills the windows, of few symbols."""
    table = history_table(list(simulate(features.WINDOW + 70, 6)))
    return market.Market("the simulator", [(day, tidy(rows)) for day, rows in by_day(table)])


@pytest.fixture(autouse=True)
def loaded(small: market.Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads the market gets that one."""
    monkeypatch.setattr(market, "load", lambda _=None: small)


def test_a_session_is_widened_to_so_many_vectors(small: market.Market) -> None:
    """Each is a symbol's of the last session, under a name of its own, with every feature and a close."""
    vectors = models._vectors(None).items
    assert len({one.symbol for one in vectors}) == len(vectors) == models.SYMBOLS
    assert {one.date for one in vectors} == {small.days[-1][0]}
    assert all(list(one.features) == list(features.FEATURES) and one.last_close for one in vectors)


def test_everything_is_stored_once_in_blocks(small: market.Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind each other, as the projector's positions say; each with what the table keeps."""
    written: list[tuple[pd.DataFrame, Any, Any]] = []
    table = type("Table", (), {"apply": lambda _, *told: written.append(told)})()
    loop: Any = type("FakeLoop", (), {"feature_table": table})
    monkeypatch.setattr(models.ourside, "RESULT_BYTES", 100_000)
    told = models.fill(loop, None)
    ends = [end["features", 0] for _, _, end in written]
    assert [start["features", 0] for _, start, _ in written] == [0, *ends[:-1]]
    assert told["rows"] == ends[-1] == np.isfinite(models.ourside.panel_of(small)["close"]).sum()
    assert len(written) > 1
    assert {"event_id", "offset", "retracted", "last_close", *LEARNED} <= set(written[0][0].columns)


def test_predictions_without_intervals_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Persistence in place of the model ends the benchmark."""
    nobody: Any = None
    monkeypatch.setattr(models, "_model", lambda _: nobody)
    monkeypatch.setattr(models, "make_predictions", type("Fake", (), {"fn": staticmethod(lambda *_: [])}))
    with pytest.raises(SystemExit, match="0 predictions by : not 350 by v1"):
        models.predict(nobody, None)


def test_a_session_is_predicted_by_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every vector, with intervals; the times are told."""
    monkeypatch.setattr(models, "_model", lambda _: _tiny())
    monkeypatch.setattr(models, "ROUNDS", 2)
    nowhere: Any = None
    told = models.predict(nowhere, None)
    assert told["vectors"] == models.SYMBOLS
    assert 0 < told["warm"] <= told["worst"]


def _tiny() -> TrainedModel:
    days, generator = pd.bdate_range("2020-01-01", periods=70), np.random.default_rng(0)
    symbols = 5
    frame = pd.DataFrame(generator.normal(size=(69 * symbols, len(LEARNED))), columns=list(LEARNED))
    frame["symbol"] = np.tile([f"S{n}" for n in range(symbols)], 69)
    frame["date"], frame["target_date"] = np.repeat(days[:-1], symbols), np.repeat(days[1:], symbols)
    frame["last_close"], frame["target"] = 100.0, generator.normal(0, 0.02, len(frame))
    rows = TrainingRows.of(frame, LEARNED)
    return train(rows, data_end=days[-1].date(), feature_set=features.FEATURE_SET)
