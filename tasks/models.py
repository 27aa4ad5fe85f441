"""Between a trained model and its file."""

from infra.artifact import Artifact, dump, load
from infra.errors import RejectError
from tasks.core.training import Card, TrainedModel


def pack(model: TrainedModel) -> bytes:
    """Write a model with its card as the bytes of a model file."""
    return dump(Artifact(model.pipeline, model.card.to_dict()))


def unpack(data: bytes, sha256: str) -> TrainedModel:
    """Read a model file whose hash is known.

    Raises:
        RejectError: it is not that file, not safe, or not a model of ours.
    """
    artifact = load(data, sha256)
    try:
        return TrainedModel(artifact.pipeline, Card.from_dict(artifact.card))
    except TypeError as error:
        message = f"the model's card is incomplete: {error}"
        raise RejectError(message) from error
