"""The model file: a skops archive whose hash and types are checked before anything in it is built."""

import json
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from infra.errors import RejectError

TRUSTED = (
    "numpy.clip",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils._bunch.Bunch",
)
"""Types beyond skops's own list that our models hold; a model's own file is never asked what to trust."""

CARD = "nepse_card_"
"""Attribute of the estimator in which its card travels."""


@dataclass(frozen=True)
class Artifact:
    """What a model file holds: a fitted scikit-learn pipeline and its card, which is plain JSON."""

    pipeline: Any
    card: dict[str, Any]


def digest(data: bytes) -> str:
    """Hash a model file, as the registry's tag and ModelTrained carry it (SHA-256, hexadecimal)."""
    return sha256(data).hexdigest()


def dump(artifact: Artifact) -> bytes:
    """Write a model file and prove that `load` will read it.

    Raises:
        RejectError: the pipeline holds a type that is not in `TRUSTED`.
    """
    import skops.io  # noqa: PLC0415  (0.2 s, and the command line does without)

    labelled = copy(artifact.pipeline)  # one object, so that MLflow's own loader gives an estimator too
    setattr(labelled, CARD, json.dumps(artifact.card))
    data: bytes = skops.io.dumps(labelled)
    if strange := sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)):
        message = f"the model holds types that we do not trust: {', '.join(strange)}"
        raise RejectError(message)
    return data


def load(data: bytes, sha256_expected: str) -> Artifact:
    """Read a model file that is what the registry says it is, and holds nothing but known types.

    Raises:
        RejectError: another hash, not a skops archive, an untrusted type, or not a model of ours.
    """
    if (found := digest(data)) != sha256_expected:
        message = f"the model file has sha256 {found[:12]}, the registry says {sha256_expected[:12]}"
        raise RejectError(message)
    pipeline = _read(data)
    return Artifact(pipeline, _card(getattr(pipeline, CARD, None)))


def _card(text: object) -> dict[str, Any]:
    try:
        card = json.loads(text) if isinstance(text, str) else None
    except json.JSONDecodeError:
        card = None
    if not isinstance(card, dict):
        message = "the model file holds no estimator with a card"
        raise RejectError(message)
    return card


def _read(data: bytes) -> object:
    import skops.io  # noqa: PLC0415
    from skops.io.exceptions import UntrustedTypesFoundException  # noqa: PLC0415

    try:
        return skops.io.loads(data, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        message = f"the model file holds types that we do not trust: {error}"
        raise RejectError(message) from error
    except Exception as error:  # whatever a malformed archive makes of the reader, the decision is the same
        message = f"the model file is not a readable skops archive ({type(error).__name__}: {error})"
        raise RejectError(message) from error
