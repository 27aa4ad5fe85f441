"""A training sees one feature set, and the version that serves is compared on rows that it can take."""

from collections.abc import Mapping
from datetime import date
from inspect import signature
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec

from infra.kafka import clients
from infra.settings import Settings
from tasks import training
from tasks.core.catalogue import LEARNED
from tasks.core.features import FEATURE_SET, FEATURES
from tasks.core.training import Card, NotTrainableError, TrainedModel
from tasks.core.training_rows import TrainingRows
from tasks.serving import Choice
from tests.topic_in_memory import Log

UNTIL = date(2024, 3, 5)
DAYS = [date(2024, 3, 3), date(2024, 3, 4)]
OTHERS = f"{FEATURE_SET}-of-others"
NOTHING = TrainingRows(pd.DataFrame(), np.empty((0, 1), dtype=np.float32), ("RSI",))


class FakeTable:
    """A table with two sessions of one symbol a feature set, named like the set."""

    def __init__(self, _settings: object) -> None:
        """Need nothing."""

    def positions(self, wanted: Mapping[Any, int]) -> Mapping[Any, int]:
        """Have caught up."""
        return wanted

    def version(self) -> int:
        """Be of version 7."""
        return 7

    def features(self, version: int) -> list[str]:
        """Have columns for some features, among them one that nobody learns from."""
        assert version == 7
        return ["ret_1", "vol_20", "of_old"]

    def table(self, columns: list[str], until: date, version: int, single: list[str]) -> pa.Table:
        """Give the columns that are asked for, if they are there."""
        assert (until, version) == (UNTIL, 7)
        assert set(columns) == {"symbol", "date", "feature_set", "last_close", "ret_1", "vol_20"}
        assert single == ["vol_20"]
        rows = [(pd.Timestamp(day), name, name) for day in DAYS for name in (FEATURE_SET, OTHERS)]
        frame = pd.DataFrame(rows, columns=["date", "symbol", "feature_set"])
        return pa.Table.from_pandas(frame.assign(last_close=9.0, ret_1=0.01, vol_20=0.5)).select(columns)


class FakeBook:
    """A book with one version in office, of a feature set."""

    def __init__(self, feature_set: str, *features: str) -> None:
        """Let v1 be of this set, and have learned from these."""
        self.feature_set, self.features = feature_set, list(features)

    def choose(self, _target: date, feature_set: str, names: Any) -> Choice:
        """Choose it for vectors that it takes; there is nothing to predict with."""
        nothing: Any = None
        span = ("2023-01-01", "2023-02-01", "2023-01-20")
        model = TrainedModel(nothing, Card(self.features, *span, 20, 400, 5, 0, feature_set=self.feature_set))
        return Choice("v1", model) if model.takes(feature_set, names) else Choice("v0", None)


@pytest.fixture(autouse=True)
def waited_for(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """The sessions whose features were waited for."""
    found: list[date] = []
    monkeypatch.setattr(training, "await_computed", lambda _loop, until: found.append(until))
    return found


def test_a_training_reads_the_set_that_this_code_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would else be told of one set, and see values of two under the same names."""
    monkeypatch.setattr(training, "FeatureTable", FakeTable)
    monkeypatch.setattr(training, "_ends", lambda _loop: {("features", 0): 4})
    loop: Any = type("FakeLoop", (), {"settings": None})
    rows = training.stored_features.fn(loop, UNTIL)
    assert rows.version == 7
    assert rows.known.keys[["symbol", "target"]].to_numpy().tolist() == [[FEATURE_SET, 0.01]]
    assert rows.known.names == LEARNED


def test_a_training_waits_for_its_session_before_it_looks_how_far_the_projector_is(
    waited_for: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the table would hold all that is committed, and not the session that it was asked for."""
    seen: list[list[date]] = []

    def ends(_loop: object) -> dict[Any, int]:
        seen.append(list(waited_for))
        return {}

    monkeypatch.setattr(training, "FeatureTable", FakeTable)
    monkeypatch.setattr(training, "_ends", ends)
    loop: Any = SimpleNamespace(settings=None)
    training.stored_features.fn(loop, UNTIL)
    assert seen == [[UNTIL]]


def test_a_table_that_lacks_a_feature_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the set was raised: what has no column yet is missing, and what is of no use is not read."""
    monkeypatch.setattr(training, "FeatureTable", FakeTable)
    monkeypatch.setattr(training, "_ends", lambda _loop: {("features", 0): 4})
    loop: Any = type("FakeLoop", (), {"settings": None})
    known = training.stored_features.fn(loop, UNTIL).known
    found = np.isfinite(known.features).any(axis=0)
    assert {name for name, there in zip(known.names, found, strict=True) if there} == {"ret_1", "vol_20"}


def test_a_table_of_other_sets_alone_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is of this set: neither a model of nothing nor an error of pandas."""
    monkeypatch.setattr(training, "FeatureTable", FakeTable)
    monkeypatch.setattr(training, "FEATURE_SET", f"{FEATURE_SET}-of-nobody")
    monkeypatch.setattr(training, "_ends", lambda _loop: {("features", 0): 4})
    loop: Any = type("FakeLoop", (), {"settings": None})
    with pytest.raises(NotTrainableError, match="run nepse backfill"):
        training.stored_features.fn(loop, UNTIL)


@pytest.mark.parametrize(("feature_set", "compared"), [(FEATURE_SET, True), (OTHERS, False)])
def test_the_version_that_serves_is_judged_on_rows_of_its_own_set(
    feature_set: str, compared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would look bad on values that it was never trained on; then persistence alone is compared."""
    monkeypatch.setattr(training, "model_book", lambda _loop: FakeBook(feature_set, "RSI"))
    monkeypatch.setattr(training, "evaluate_unseen", lambda _model, _rows: "judged")
    nowhere: Any = None
    assert training._champion(nowhere, NOTHING) == ("judged" if compared else None, ())


def test_a_version_that_learned_from_more_is_told_not_to_be_comparable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It serves, since vectors hold what is learned from no more; one that nobody can serve is no rival."""
    dropped = next(name for name in FEATURES if name not in LEARNED)
    nowhere: Any = None
    monkeypatch.setattr(training, "model_book", lambda _loop: FakeBook(FEATURE_SET, "RSI", dropped))
    assert training._champion(nowhere, NOTHING) == (None, (dropped,))
    monkeypatch.setattr(training, "model_book", lambda _loop: FakeBook(FEATURE_SET, "RSI", "of_tomorrow"))
    assert training._champion(nowhere, NOTHING) == (None, ())


def test_ends_are_those_of_all_that_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the marker of a commit is still to come: what lies before it was promised."""
    asked: list[Any] = []

    class Admin:
        """A client that keeps what it was asked."""

        def list_partition_offsets(self, spots: dict[TopicPartition, Any], **options: Any) -> Any:
            """Tell an end a partition."""
            asked.append((set(spots.values()), options))
            return dict.fromkeys(spots, SimpleNamespace(offset=7))

        def close(self) -> None:
            """End."""
            asked.append("closed")

    monkeypatch.setattr(clients, "admin", lambda _settings: Admin())
    loop: Any = SimpleNamespace(settings=Settings(partitions=2))
    assert training._ends(loop) == {("features", 0): 7, ("features", 1): 7}
    assert asked == [({OffsetSpec.LATEST}, {}), "closed"]
    default = signature(KafkaAdminClient.list_partition_offsets).parameters["isolation_level"].default
    assert default.name == "READ_UNCOMMITTED"


def test_a_training_names_the_version_of_the_table_that_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that `read` was asked for: what a model knows can be read again for ever."""
    monkeypatch.setattr(training, "FeatureTable", FakeTable)
    monkeypatch.setattr(training, "_ends", lambda _loop: {("features", 0): 4})
    for name in ("train", "holdout_rows", "evaluate", "verdict", "explain"):
        monkeypatch.setattr(training, name, lambda *_, **__: None)
    monkeypatch.setattr(training, "_champion", lambda *_: (None, ()))
    loop: Any = SimpleNamespace(settings=None, models=Log("models"))
    trained = training.fit.fn(loop, training.stored_features.fn(loop, UNTIL), UNTIL)
    assert (trained.data_version, trained.models_seen) == (7, 0)
