"""Step 8: a request for retraining becomes a version in MLflow and ModelTrained on models."""

from base64 import b64encode
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import ModelPromoted, ModelRetrainingTriggered, OffsetRange
from infra.bootstrap import Loop, connect
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.aliases import align, in_office
from tasks.answered import Again, answered_before, left
from tasks.core.pictures import predicted_against_actual
from tasks.core.training import NotTrainableError
from tasks.deliveries import read_once
from tasks.overruled import not_overruling
from tasks.registering import (
    IMPLAUSIBLE,
    Answer,
    Trigger,
    answer,
    implausible,
    newest,
    register,
    registered_before,
    unanswered,
)
from tasks.training import fit, stored_features
from tasks.work import Account, process


@flow(name="retrain")
def retrain(slices: list[OffsetRange]) -> State[Any]:
    """Train once for all requests of the slices, on the newest data that any of them names."""
    state = process("retrain", slices, steps)
    align(connect())
    return state


def steps(loop: Loop, work: Work) -> Account:
    """Answer the slice's requests: by versions that there are, the others by one training.

    There is a version where a dead attempt registered one, and where a training has seen their data already.
    """
    triggers = unanswered(loop, of_kind(read_once(loop, work), ModelRetrainingTriggered))
    if not triggers:
        return Account("nothing was asked for")
    answers = registered_before(loop, triggers)
    open_ = left(triggers, [one.said for one in answers])
    again = answered_before(loop, open_)
    open_ = left(open_, [one.said for one in again])
    if open_ and (fresh := _train(loop, work, open_)):
        answers.append(fresh)
    answers = [not_overruling(loop, one) for one in answers]
    _publish(loop, work, answers)
    for one in again:
        work.publish("models", one.said, one.cause, f"{one.said.model_version} once more")
    return _account(answers, again)


def _publish(loop: Loop, work: Work, answers: list[Answer]) -> None:
    """Say what was trained, which versions take office, and which are too good to be true."""
    serving = in_office(loop)
    for one in answers:
        version = one.said.model_version
        work.publish("models", one.said, one.cause, loop.settings.model_name)
        if one.implausible:
            work.publish("alerts", implausible(one.said), one.cause, f"{IMPLAUSIBLE} {version}")
        if one.said.promoted:
            promoted = ModelPromoted(
                model_version=version,
                previous_version=serving,
                reason=f"trained: {one.said.why or version}"[:1000],
                models_seen=one.said.models_seen,
            )
            work.publish("models", promoted, one.cause, f"promoted {version}")
            serving = version


def _train(loop: Loop, work: Work, triggers: list[Trigger]) -> Answer | None:
    """Train once for all of them; where that is impossible, each becomes a dead letter."""
    until = newest(triggers).payload.data_end_date
    try:
        trained = fit(loop, stored_features(loop, until), until)
    except NotTrainableError as error:
        for trigger in triggers:
            work.reject(trigger, f"no training on data up to {until}: {error}", error)
        return None
    made = answer(loop, register(loop, trained, triggers), triggers)
    return made._replace(picture=predicted_against_actual(trained.evaluation))


def _account(answers: list[Answer], again: list[Again]) -> Account:
    if not answers and not again:
        return Account("not trainable")
    told = [f"{one.said.model_version} {'' if one.said.promoted else 'not '}promoted" for one in answers]
    told += [str(one.said.why) for one in again]
    said = [*(one.said for one in answers), *(one.said for one in again)]
    versions = [one.model_version for one in said]
    return Account(", ".join(told), versions, said[-1].feature_set, "\n\n".join(map(_page, answers)))


def _page(made: Answer) -> str:
    version = made.version
    picture = f"\n\n![](data:image/png;base64,{b64encode(made.picture).decode()})" if made.picture else ""
    return f"{version.report}\n\n[{version.name} in MLflow]({version.url}){picture}"
