"""From stored features to a model that was judged beside persistence and the version that serves."""

import time
from dataclasses import dataclass
from datetime import date

from prefect import task

from infra.bootstrap import Loop
from infra.errors import TryAgainError
from infra.feature_rows import OWN_COLUMNS
from infra.feature_table import FeatureTable
from infra.kafka import scanning
from infra.running import wait
from tasks.computed import await_computed
from tasks.core.catalogue import LEARNED
from tasks.core.dataset import KEYS, Stored, stored_rows
from tasks.core.explained import Explained, explain
from tasks.core.features import FEATURE_SET, FEATURES
from tasks.core.promotion import Evaluation, Verdict, evaluate, evaluate_unseen, verdict
from tasks.core.training import TrainedModel, holdout_rows, train
from tasks.core.training_rows import TrainingRows
from tasks.serving import model_book

PROJECTOR_SECONDS = 180.0


@dataclass(frozen=True)
class Trained:
    """What one training made."""

    model: TrainedModel
    evaluation: Evaluation
    promotion: Verdict
    data_version: int
    explained: Explained
    models_seen: int = 0
    """Up to which offset of `models` (exclusive) the promotion was decided on."""


class Rows:
    """Training rows of a pinned table version; a class of its own so that Prefect does not inspect them."""

    def __init__(self, stored: Stored, version: int) -> None:
        """Keep the rows and the version they are from."""
        self.known, self.newest, self.version = stored.known, stored.newest, version


@task
def stored_features(loop: Loop, until: date) -> Rows:
    """Read the vectors of this code's feature set, once the table holds all of the sessions up to `until`.

    And every one beside them that is committed by then.

    Raises:
        NotTrainableError: all that is stored is of other feature sets.
        TryAgainError: the features were not computed within three minutes, or the projector did not catch up
            within three more; or the store is away.
    """
    await_computed(loop, until)
    features = FeatureTable(loop.settings)
    wanted = _ends(loop)
    deadline = time.monotonic() + PROJECTOR_SECONDS
    while not _caught_up(features, wanted):
        if time.monotonic() > deadline or wait(0.25):
            message = f"the feature table lags for {PROJECTOR_SECONDS:g} s: is project-features running?"
            raise TryAgainError(message)
    version = features.version()
    there = {*OWN_COLUMNS, *features.features(version)}
    single = [name for name in LEARNED if name in there and name not in KEYS]
    kept = [name for name in KEYS if name in there]
    # a table without a column holds no vector of this set: that is said in the end
    table = features.table([*kept, *single], until=until, version=version, single=single)
    return Rows(stored_rows(table, LEARNED, until, FEATURE_SET), version)


def _caught_up(features: FeatureTable, wanted: dict[tuple[str, int], int]) -> bool:
    at = features.positions(wanted)
    return all(at.get(place, 0) >= end for place, end in wanted.items())


def _ends(loop: Loop) -> dict[tuple[str, int], int]:
    """Tell up to where anything is written: the marker of a commit may come after its answer."""
    return scanning.written(loop.settings, scanning.spots_of(loop.settings, ["features"]))


@task
def fit(loop: Loop, rows: Rows, until: date) -> Trained:
    """Train once, and judge the result against persistence and the champion on the held-out sessions.

    Raises:
        NotTrainableError: these rows can't make a model.
    """
    model = train(rows.known, data_end=until, feature_set=FEATURE_SET, newest=rows.newest)
    held = holdout_rows(rows.known, model)
    evaluation = evaluate(model, held)
    promotion, seen = verdict(evaluation, *_champion(loop, held)), loop.models.refresh()
    return Trained(model, evaluation, promotion, rows.version, explain(model, held, evaluation), seen)


def _champion(loop: Loop, held: TrainingRows) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Evaluate the version that predicts this set's vectors now, too; None if that is persistence.

    Vectors hold more than is learned today: of a version that learned from more, the second tells what these
    rows lack.
    """
    champion = model_book(loop).choose(date.max, FEATURE_SET, {*FEATURES, *held.names}).model
    if champion is None:
        return None, ()
    lacking = tuple(name for name in champion.card.features if name not in held.names)
    return (None, lacking) if lacking else (evaluate_unseen(champion, held), ())
