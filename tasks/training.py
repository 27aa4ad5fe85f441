"""From stored features to a registered version, and the event that says so."""

import time
from dataclasses import dataclass
from datetime import date

from kafka import TopicPartition
from prefect import runtime, task

from events.payloads import ModelRetrainingTriggered, ModelTrained
from infra.bootstrap import Loop
from infra.errors import RejectError, TryAgainError
from infra.feature_rows import OWN_COLUMNS
from infra.feature_table import FeatureTable
from infra.kafka import clients
from infra.kafka.records import Received, of_kind
from infra.kafka.topics import partitions
from infra.registry_types import Submission, Version
from infra.running import wait
from tasks.core.catalogue import LEARNED
from tasks.core.dataset import KEYS, training_rows
from tasks.core.features import FEATURE_SET
from tasks.core.pictures import error_over_time, predicted_against_actual
from tasks.core.promotion import Evaluation, Verdict, evaluate, evaluate_unseen, verdict
from tasks.core.training import TrainedModel, holdout_rows, train
from tasks.core.training_rows import TrainingRows
from tasks.models import pack
from tasks.reports import table
from tasks.serving import PERSISTENCE, model_book

PROJECTOR_SECONDS = 180.0
Trigger = Received[ModelRetrainingTriggered]


@dataclass(frozen=True)
class Trained:
    """What one training made; a version that is registered tells it to the world."""

    model: TrainedModel
    evaluation: Evaluation
    promotion: Verdict
    data_version: int


class Rows:
    """Training rows of a pinned table version; a class of its own so that Prefect does not inspect them."""

    def __init__(self, known: TrainingRows, version: int) -> None:
        """Keep the rows and the version they are from."""
        self.known, self.version = known, version


def unanswered(loop: Loop, triggers: list[Trigger]) -> list[Trigger]:
    """Leave out requests that a training has answered: the same request never trains twice."""
    entries = loop.models.between(0, loop.models.refresh())
    answered = {trigger for trained in of_kind(entries, ModelTrained) for trigger in trained.payload.triggers}
    return [trigger for trigger in triggers if trigger.id not in answered]


@task
def stored_features(loop: Loop, until: date) -> Rows:
    """Read the vectors of this code's feature set, once the table holds every one that is committed now.

    Raises:
        NotTrainableError: all that is stored is of other feature sets.
        TryAgainError: the projector did not catch up within three minutes, or the store is away.
    """
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
    return Rows(training_rows(table, LEARNED, until, FEATURE_SET), version)


def _caught_up(features: FeatureTable, wanted: dict[tuple[str, int], int]) -> bool:
    at = features.positions(wanted)
    return all(at.get(place, 0) >= end for place, end in wanted.items())


def _ends(loop: Loop) -> dict[tuple[str, int], int]:
    reader = clients.consumer(loop.settings)
    try:
        spots = [TopicPartition("features", p) for p in range(partitions(loop.settings, "features"))]
        return {(s.topic, s.partition): int(end) for s, end in reader.end_offsets(spots).items()}
    finally:
        reader.close(autocommit=False)


@task
def fit(loop: Loop, rows: Rows, until: date) -> Trained:
    """Train once, and judge the result against persistence and the champion on the held-out sessions.

    Raises:
        NotTrainableError: these rows can't make a model.
    """
    model = train(rows.known, data_end=until, feature_set=FEATURE_SET)
    held = holdout_rows(rows.known, model)
    evaluation = evaluate(model, held)
    promotion = verdict(evaluation, _champion(loop, held))
    return Trained(model, evaluation, promotion, rows.version)


def _champion(loop: Loop, held: TrainingRows) -> Evaluation | None:
    """Evaluate the version that serves now, too; None if it can't take these rows, or there is none."""
    book = model_book(loop)
    version = book.version_for(date.max)
    if version == PERSISTENCE:
        return None
    try:
        champion = book.model(version)
    except RejectError:
        return None
    return evaluate_unseen(champion, held) if champion.takes(FEATURE_SET, held.names) else None


@task
def register(loop: Loop, trained: Trained, trigger: Trigger) -> Version:
    """Register the version in MLflow with all that a person asks later; once per trigger."""
    return loop.registry.register(
        Submission(
            data=pack(trained.model),
            card=trained.model.card.to_dict(),
            trigger=trigger.id,
            promoted=trained.promotion.promoted,
            why=trained.promotion.why,
            metrics=trained.evaluation.performance
            | {f"baseline_{name}": value for name, value in trained.evaluation.baseline.items()},
            params={"reason": trigger.payload.reason, "data_end_date": str(trigger.payload.data_end_date)},
            tags={"prefect_run_id": str(runtime.flow_run.id), "data_version": str(trained.data_version)},
            pictures={
                "predicted_against_actual.png": predicted_against_actual(trained.evaluation),
                "error_over_time.png": error_over_time(trained.evaluation),
            },
            report=model_card(trained),
        )
    )


def announcement(trained: Trained, version: Version, triggers: list[Trigger]) -> ModelTrained:
    """Say what was trained, how good it is beside persistence, and whether it serves."""
    card = trained.model.card
    return ModelTrained(
        model_version=version.name,
        performance=_rounded(trained.evaluation.performance),
        baseline_performance=_rounded(trained.evaluation.baseline),
        features_used=card.features,
        artifact_location=version.artifact_location,
        artifact_sha256=version.sha256,
        feature_set=card.feature_set,
        training_start=date.fromisoformat(version.training_start),
        training_end=date.fromisoformat(version.training_end),
        data_version=trained.data_version,
        run_id=version.run_id,
        promoted=version.promoted,
        why=trained.promotion.why,
        triggers=[trigger.id for trigger in triggers],
    )


def model_card(trained: Trained) -> str:
    """Write what a person should know of a version before trusting it."""
    card, promotion = trained.model.card, trained.promotion
    performance, baseline = trained.evaluation.performance, trained.evaluation.baseline
    rows = [(n, f"{v:.4f}", f"{baseline[n]:.4f}" if n in baseline else "") for n, v in performance.items()]
    window = (
        f"Fitted on {card.rows} rows of {card.sessions} sessions from {card.training_start}, judged on"
        f" {card.holdout_sessions} held-out sessions from {card.holdout_start} to {card.training_end}."
    )
    told = "promoted" if promotion.promoted else "not promoted"
    return "\n\n".join(
        (
            window,
            table(("measure", "model", "persistence"), rows),
            f"**{told}**: {promotion.why}",
        )
    )


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}
