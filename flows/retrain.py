"""Step 8: a request for retraining becomes a version in MLflow and ModelTrained on models."""

from base64 import b64encode
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import ModelRetrainingTriggered, OffsetRange
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.core.pictures import predicted_against_actual
from tasks.core.training import NotTrainableError
from tasks.deliveries import read_once
from tasks.training import announcement, fit, model_card, register, stored_features, unanswered
from tasks.work import Account, process


@flow(name="retrain")
def retrain(slices: list[OffsetRange]) -> State[Any]:
    """Train once for all requests of the slices, on the newest data that any of them names."""
    return process("retrain", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Answer the requests of the slice by one training."""
    triggers = unanswered(loop, of_kind(read_once(loop, work), ModelRetrainingTriggered))
    if not triggers:
        return Account("nothing was asked for")
    newest = max(triggers, key=lambda t: (t.payload.data_end_date, t.place))
    until = newest.payload.data_end_date
    try:
        trained = fit(loop, stored_features(loop, until), until)
    except NotTrainableError as error:
        for trigger in triggers:
            work.reject(trigger, f"no training on data up to {until}: {error}", error)
        return Account(f"not trainable on data up to {until}")
    version = register(loop, trained, newest)
    work.publish("models", announcement(trained, version, triggers), newest, loop.settings.model_name)
    picture = b64encode(predicted_against_actual(trained.evaluation)).decode()
    links = f"[{version.name} in MLflow]({version.url})\n\n![](data:image/png;base64,{picture})"
    told = f"{version.name} {'promoted' if version.promoted else 'not promoted'}"
    return Account(told, [version.name], trained.model.card.feature_set, f"{model_card(trained)}\n\n{links}")
