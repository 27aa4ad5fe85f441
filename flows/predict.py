"""Step 3: feature vectors become predictions, and shadows of who waits; named versions are checked."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import FeaturesComputed, ModelPromoted, ModelTrained, OffsetRange
from infra.bootstrap import Loop, connect
from infra.kafka.records import Received, of_kind
from infra.kafka.work import Work
from tasks.deliveries import read_once
from tasks.fallbacks import tell_of_choices, tell_of_models
from tasks.predictions import Made, Vectors, make_predictions
from tasks.serving import ModelBook, model_book
from tasks.sessions import targets
from tasks.shadows import load_shadows, make_shadows
from tasks.work import Account, process


@flow(name="predict")
def predict(slices: list[OffsetRange]) -> State[Any]:
    """Predict the next close for every FeaturesComputed, or check every named version, of the slices."""
    load_shadows(connect())
    return process("predict", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Predict every vector of the slice; check every version that it names."""
    received = read_once(loop, work)
    book = model_book(loop)
    vectors = of_kind(received, FeaturesComputed)
    made = _predicted(loop, book, vectors) if vectors else []
    versions = _publish(work, vectors, made)
    _publish_shadows(loop, work, book, vectors, made)
    tell_of_choices(loop, work, zip(vectors, (one.choice for one in made), strict=True))
    tell_of_models(loop, work, book, [*of_kind(received, ModelTrained), *of_kind(received, ModelPromoted)])
    return Account(f"by {', '.join(versions)}" if versions else "", versions)


def _predicted(loop: Loop, book: ModelBook, vectors: list[Received[FeaturesComputed]]) -> list[Made]:
    """Predict every vector; what names versions only needs no calendar."""
    return make_predictions(book, Vectors([one.payload for one in vectors]), targets(loop))


def _publish(work: Work, vectors: list[Received[FeaturesComputed]], made: list[Made]) -> list[str]:
    """Publish what was predicted, refuse what nothing can be predicted from; returns the versions."""
    versions = set()
    for source, one in zip(vectors, made, strict=True):
        if one.prediction is None:
            work.reject(source, one.reason)
            continue
        versions.add(one.prediction.model_version)
        work.publish("predictions", one.prediction, source, one.prediction.symbol, one.prediction.revision)
    return sorted(versions)


def _publish_shadows(
    loop: Loop, work: Work, book: ModelBook, vectors: list[Received[FeaturesComputed]], made: list[Made]
) -> None:
    """Publish what those who wait say of the same sessions."""
    if not book.in_shadow or not vectors:
        return
    payloads = Vectors([one.payload for one in vectors])
    shadows = make_shadows(loop, book, payloads, targets(loop), made)
    for source, said in zip(vectors, shadows, strict=True):
        for shadow in said:
            subject = f"shadow {shadow.model_version} {shadow.symbol}"
            work.publish("shadows", shadow, source, subject, shadow.revision)
            work.count("shadows")
