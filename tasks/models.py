"""Between a trained model and its file."""

from infra.artifact import Artifact, dump, load
from infra.errors import RejectError
from tasks.core.training import Card, TrainedModel
from tasks.core.usable import UnusableError, require_usable


def pack(model: TrainedModel) -> bytes:
    """Write a model with its card as the bytes of a model file."""
    return dump(Artifact(model.pipeline, model.card.to_dict()))


def unpack(data: bytes, sha256: str) -> TrainedModel:
    """Read a model file whose hash is known, and try whether what it holds can forecast.

    Raises:
        RejectError: it is not that file, not safe, not a model of ours, or of no use.
    """
    artifact = load(data, sha256)
    try:
        model = TrainedModel(artifact.pipeline, Card.from_dict(artifact.card))
    except TypeError as error:
        message = f"the model's card is incomplete, or not a card of ours: {error}"
        raise RejectError(message) from error
    try:
        require_usable(model)
    except UnusableError as error:
        message = f"the model can't be used: {error}"
        raise RejectError(message) from error
    return model
