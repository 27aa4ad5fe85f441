"""What goes into the registry and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Submission:
    """A trained model on its way into the registry."""

    data: bytes
    """The model file (`infra.artifact.dump`)."""
    card: Mapping[str, Any]
    """Its card: features, training_start, training_end and more, plain JSON."""
    trigger: str
    """Id of the event that asked for the training; one trigger registers one version."""
    promoted: bool
    why: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str | float | None] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """For example `prefect_run_id`, `trigger_reason`, `data_version`."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG bytes by file name."""
    report: str = ""
    """The model card, markdown."""
    input_example: Mapping[str, float | None] | None = None


@dataclass(frozen=True)
class Version:
    """A registered version; `v0`, persistence, is not in the registry."""

    name: str
    """`v12`: the stable name that events carry."""
    number: int
    artifact_location: str
    """Object of the model file, `s3://...`."""
    sha256: str
    run_id: str
    url: str
    trigger: str
    promoted: bool
    """What the training decided; who serves is the alias `champion`."""
    training_start: str
    training_end: str
    tags: Mapping[str, str] = field(default_factory=dict)
