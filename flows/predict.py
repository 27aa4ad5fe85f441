"""Step 3: feature vectors become predictions; new model versions are checked before they serve."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import AlertRaised, FeaturesComputed, ModelTrained, OffsetRange
from infra.bootstrap import Loop
from infra.kafka.records import Received, of_kind
from infra.kafka.work import Work
from tasks.deliveries import read_once
from tasks.predictions import Made, Vectors, make_predictions
from tasks.serving import ModelBook, model_book
from tasks.sessions import targets
from tasks.work import Account, process


@flow(name="predict")
def predict(slices: list[OffsetRange]) -> State[Any]:
    """Predict the next close for every FeaturesComputed, or check every ModelTrained, of the slices."""
    return process("predict", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Predict every vector of the slice; check every model that it announces."""
    received = read_once(loop, work)
    book = model_book(loop)
    vectors = of_kind(received, FeaturesComputed)
    versions = set()
    for source, made in zip(vectors, _predicted(loop, book, vectors), strict=True):
        if made.prediction is None:
            work.reject(source, made.reason)
            continue
        versions.add(made.prediction.model_version)
        work.publish("predictions", made.prediction, source, made.prediction.symbol, made.prediction.revision)
    for trained in of_kind(received, ModelTrained):
        if why_not := book.check(trained.payload):
            work.publish("alerts", _refused(trained.payload, why_not), trained, "model_refused")
    return Account(f"by {', '.join(sorted(versions))}" if versions else "", sorted(versions))


def _predicted(loop: Loop, book: ModelBook, vectors: list[Received[FeaturesComputed]]) -> list[Made]:
    """Predict every vector; what announces models only needs no calendar."""
    if not vectors:
        return []
    return make_predictions(book, Vectors([one.payload for one in vectors]), targets(loop))


def _refused(trained: ModelTrained, why_not: str) -> AlertRaised:
    """Say that a version will not serve, and that the one before it goes on."""
    return AlertRaised(
        rule="model_refused",
        severity="critical",
        message=f"{trained.model_version} does not serve, the version before it goes on: {why_not}"[:1000],
    )
