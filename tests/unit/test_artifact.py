"""The model file is checked before it is trusted."""

import json
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import Ridge
from sklearn.preprocessing import FunctionTransformer

from infra.artifact import CARD, Artifact, digest, dump, load
from infra.errors import RejectError
from tasks import models
from tasks.core.cards import POOLED
from tasks.core.learners import fit_blend, one_thread
from tasks.core.training import Card, TrainedModel
from tasks.models import pack, unpack

ADDED = ("groups", "members", "reference")
"""What cards of the first versions did not have."""


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    """A small model of the real kind."""
    import pandas as pd  # noqa: PLC0415

    generator = np.random.default_rng(0)
    features = generator.normal(size=(900, 3)).astype(np.float32)
    sessions = pd.Series(np.repeat(np.arange(30), 30))
    with one_thread():
        blend = fit_blend(features, 0.01 * features[:, 0].astype(np.float64), sessions, seed=0)
    span = ("2024-01-01", "2024-06-01", "2024-05-01")
    card = Card(["a", "b", "c"], *span, 30, 900, 10, 0, {POOLED: {"80": 1.3, "95": 2.1}})
    return TrainedModel(blend, card)


def test_a_model_comes_back_whole(model: TrainedModel) -> None:
    """Forecasts and card are the same after a round trip, and the original is left alone."""
    data = pack(model)
    again = unpack(data, digest(data))
    rows = np.random.default_rng(1).normal(size=(50, 3))
    assert np.array_equal(again.pipeline.predict(rows), model.pipeline.predict(rows))
    assert again.card == model.card
    assert not hasattr(model.pipeline, CARD)


def test_a_card_from_before_groups_goes_on_serving(model: TrainedModel) -> None:
    """Its widths by level alone are those of all rows; what a newer writer adds is left out."""
    told = {name: value for name, value in model.card.to_dict().items() if name not in ADDED}
    flat = dump(Artifact(model.pipeline, {**told, "quantiles": {"80": 1.3, "95": 2.1}, "of_later": 1}))
    assert unpack(flat, digest(flat)).card == model.card


def test_a_changed_byte_is_refused(model: TrainedModel) -> None:
    """The hash is compared before anything is read."""
    data = bytearray(pack(model))
    expected = digest(bytes(data))
    data[len(data) // 2] ^= 1
    with pytest.raises(RejectError, match="the registry says"):
        load(bytes(data), expected)


def test_an_unknown_type_is_refused() -> None:
    """A file with a function that we never use is neither loaded nor written, though its hash is right."""
    strange = FunctionTransformer(json.loads)
    setattr(strange, CARD, "{}")
    data = skops.io.dumps(strange)
    with pytest.raises(RejectError, match="do not trust"):
        load(data, digest(data))
    with pytest.raises(RejectError, match="do not trust"):
        dump(Artifact(strange, {}))


@pytest.mark.parametrize("data", [b"", b"not a zip", b"\x80\x04\x95pickle."])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    """Bytes of another kind, a pickle among them, end in one clear sentence."""
    with pytest.raises(RejectError, match="not a readable skops archive"):
        load(data, digest(data))


@pytest.mark.parametrize("card", [None, "{}", "[]", "no json"])
def test_a_model_without_a_proper_card_is_refused(card: str | None) -> None:
    """An estimator alone, or one with a card that lacks entries, is not a model of ours."""
    ridge: Any = Ridge()
    if card is not None:
        setattr(ridge, CARD, card)
    data = skops.io.dumps(ridge)
    with pytest.raises(RejectError, match="card"):
        unpack(data, digest(data))


class Odd(Ridge):
    """Stands for an estimator of another version of its library: what it gives is of no use."""

    def __init__(self, gives: Any = None) -> None:
        """Keep what it gives; an error is raised."""
        super().__init__()
        self.gives = gives

    def predict(self, X: Any) -> Any:  # noqa: N803  (the name that scikit-learn calls it by)
        """Give it."""
        if isinstance(self.gives, Exception):
            raise self.gives
        return np.broadcast_to(self.gives, (len(X), *np.shape(self.gives)))


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        (AttributeError("no attribute 'n_bins'"), "AttributeError: no attribute 'n_bins'"),
        (np.nan, "not one finite number a row"),
        (np.zeros(2), "not one finite number a row|ValueError"),
    ],
)
def test_a_model_that_can_not_forecast_is_refused_when_it_is_loaded(
    gives: Any, says: str, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by the first vector that it is asked about, which would be lost."""
    odd: Any = Odd(gives)
    monkeypatch.setattr(models, "load", lambda *_: Artifact(odd, model.card.to_dict()))
    with pytest.raises(RejectError, match=f"the model can't be used: .*({says})"):
        unpack(b"", "")


def test_a_model_without_intervals_is_refused(model: TrainedModel) -> None:
    """A prediction has them: one that lacks a width would fail with the first vector."""
    without = dump(Artifact(model.pipeline, {**model.card.to_dict(), "quantiles": {}}))
    with pytest.raises(RejectError, match=r"the model can't be used: .*KeyError"):
        unpack(without, digest(without))


def test_ridge_alone_is_asked_about_what_is_missing(model: TrainedModel) -> None:
    """It takes no missing values: vectors that lack a feature, as those of new shares do, would be lost."""
    ridge = Ridge().fit(np.eye(3), np.ones(3))
    bare = dump(Artifact(ridge, model.card.to_dict()))
    with pytest.raises(RejectError, match="fails to forecast a row of missing values"):
        unpack(bare, digest(bare))
