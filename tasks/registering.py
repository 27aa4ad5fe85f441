"""A training's result goes into the registry once, and what is said of it is what the registry holds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prefect import runtime, task

from events.payloads import AlertRaised, ModelRetrainingTriggered, ModelTrained
from infra.bootstrap import Loop
from infra.kafka.records import Received, of_kind
from infra.kafka.work import CODE_VERSION
from infra.registry_types import Submission, Version
from infra.settings import Settings
from tasks.core import pictures
from tasks.core.alert_events import LONGEST
from tasks.core.alert_rules import alert_id
from tasks.core.explained import hyperparameters
from tasks.core.model_card import model_card
from tasks.models import pack
from tasks.training import Trained

Trigger = Received[ModelRetrainingTriggered]

IMPLAUSIBLE = "model_implausible"
"""The alert rule of a version that knows what it can't know."""


class Answer(NamedTuple):
    """A registered version, what is said of it, and the request that is named as its cause."""

    version: Version
    said: ModelTrained
    cause: Trigger
    implausible: bool = False
    """Whether it is better than anything can be: a leak, more likely."""
    picture: bytes = b""
    """PNG of the forecasts beside what came, from the attempt that trained it."""


def unanswered(loop: Loop, triggers: Sequence[Trigger]) -> list[Trigger]:
    """Leave out requests that a training has answered: the same request never trains twice."""
    entries = loop.models.between(0, loop.models.refresh())
    answered = {trigger for trained in of_kind(entries, ModelTrained) for trigger in trained.payload.triggers}
    return [trigger for trigger in triggers if trigger.id not in answered]


def registered_before(loop: Loop, triggers: Sequence[Trigger]) -> list[Answer]:
    """Find the versions that an attempt registered for some of these requests before it died."""
    versions = loop.registry.answering(trigger.id for trigger in triggers)
    return [answer(loop, version, [t for t in triggers if version.answers(t.id)]) for version in versions]


def answer(loop: Loop, version: Version, triggers: Sequence[Trigger]) -> Answer:
    """Say of a version what was registered with it, whichever attempt did that; it answers these requests.

    Raises:
        RejectError: what is to be said is gone, or is not what was registered.
    """
    unnoted = {"models_seen": loop.models.refresh()}  # of trainings that did not note it
    said = unnoted | loop.registry.announcement(version)
    others = {
        "model_version": version.name,
        "artifact_location": version.artifact_location,
        "artifact_sha256": version.sha256,
        "run_id": version.run_id,
        "triggers": list(dict.fromkeys([*said["triggers"], *(t.id for t in triggers)])),
        "reasons": list(dict.fromkeys([*said["reasons"], *(t.payload.reason for t in triggers)])),
    }
    return Answer(
        version,
        ModelTrained.model_validate(said | others),
        newest(triggers),
        implausible=bool(said.get("implausible")),
    )


def implausible(said: ModelTrained) -> AlertRaised:
    """Say that a version is too good to be true: somebody has to find what its features know."""
    labels = {"model_version": said.model_version}
    message = f"{said.model_version} does not serve, and its features are to be looked at: {said.why}"
    return AlertRaised(
        rule=IMPLAUSIBLE,
        severity="critical",
        message=message[:LONGEST],
        alert_id=alert_id(IMPLAUSIBLE, labels),
        labels=labels,
    )


def newest(triggers: Sequence[Trigger]) -> Trigger:
    """Choose the request for the newest data, the last one of those."""
    return max(triggers, key=lambda trigger: (trigger.payload.data_end_date, trigger.place))


@task
def register(loop: Loop, trained: Trained, triggers: Sequence[Trigger]) -> Version:
    """Register the version in MLflow with all that a person asks later; once for the newest request."""
    return loop.registry.register(submission(loop.settings, trained, triggers))


def submission(settings: Settings, trained: Trained, triggers: Sequence[Trigger]) -> Submission:
    """Collect what the registry gets of a training for these requests."""
    first, model = newest(triggers), trained.model
    return Submission(
        data=pack(model),
        card=model.card.to_dict(),
        triggers=[first.id, *(trigger.id for trigger in triggers if trigger is not first)],
        announcement=announcement(trained, triggers),
        promoted=trained.promotion.promoted,
        why=trained.promotion.why,
        metrics=_metrics(trained),
        folds=trained.explained.folds,
        params=_params(trained, first),
        tags=_tags(settings, trained, first),
        pictures=_pictures(trained),
        report=model_card(model.card, trained.evaluation, trained.promotion, trained.explained),
        input_example=trained.explained.example,
    )


def announcement(trained: Trained, triggers: Sequence[Trigger]) -> dict[str, Any]:
    """Write what ModelTrained says of a training, beside the version that the registry names; plain JSON."""
    card, explained = trained.model.card, trained.explained
    return {
        "performance": _rounded(trained.evaluation.performance),
        "baseline_performance": _rounded(trained.evaluation.baseline),
        "features_used": card.features,
        "feature_set": card.feature_set,
        "training_start": card.training_start,
        "training_end": card.training_end,
        "holdout_start": card.holdout_start,
        "data_version": trained.data_version,
        "promoted": trained.promotion.promoted,
        "why": trained.promotion.why,
        "implausible": trained.promotion.implausible,  # beside the event: for the alert
        "models_seen": trained.models_seen,  # who was promoted since is not overruled
        "triggers": [trigger.id for trigger in triggers],
        "reasons": list(dict.fromkeys(trigger.payload.reason for trigger in triggers)),
        "coverage": _rounded(explained.coverage),
        "importance": _rounded(explained.importance),
        "code_version": CODE_VERSION,
    }


def _metrics(trained: Trained) -> dict[str, float]:
    """Name measures of the hold-out: the model's, persistence's, each learner's, by liquidity, coverage."""
    explained = trained.explained
    parts = {"baseline": trained.evaluation.baseline, "coverage": explained.coverage} | {
        f"learner {name}": one for name, one in explained.members.items()
    }
    found = dict(trained.evaluation.performance)
    found |= {f"{part}/{name}": value for part, one in parts.items() for name, value in one.items()}
    groups = explained.liquidity[["skill", "rank_ic"]].to_dict(orient="index")
    return found | {f"{group}/{name}": value for group, one in groups.items() for name, value in one.items()}


def _params(trained: Trained, first: Trigger) -> dict[str, str | float | None]:
    """List what the training was told: by whom, on which window, with which learners."""
    card = trained.model.card
    window = ("training_start", "training_end", "holdout_start", "holdout_sessions", "sessions", "rows")
    told = {name: getattr(card, name) for name in (*window, "seed", "feature_set")}
    asked = {"reason": first.payload.reason, "data_end_date": str(first.payload.data_end_date)}
    return asked | told | {"features": len(card.features)} | hyperparameters(trained.model)


def _tags(settings: Settings, trained: Trained, first: Trigger) -> dict[str, str]:
    """Link the run that trained and the request, and name the versions of code, features and data."""
    run = str(runtime.flow_run.id)
    return {
        "prefect_run_id": run,
        "prefect_run": settings.run_page(run),
        "trigger_reason": first.payload.reason,
        "trigger_event": str(first.place),
        "code_version": CODE_VERSION,
        "feature_set": str(trained.model.card.feature_set),
        "data_version": str(trained.data_version),
        "data_window": f"{trained.model.card.training_start} to {trained.model.card.training_end}",
    }


def _pictures(trained: Trained) -> dict[str, bytes]:
    evaluation, explained = trained.evaluation, trained.explained
    drawn = {
        "predicted_against_actual": pictures.predicted_against_actual(evaluation),
        "error_over_time": pictures.error_over_time(evaluation),
        "importance": pictures.importance(explained.importance),
        "calibration": pictures.calibration(explained.calibration),
    }
    if not explained.liquidity.empty:
        drawn["by_liquidity"] = pictures.by_liquidity(explained.liquidity)
    return {f"{name}.png": data for name, data in drawn.items()}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}
