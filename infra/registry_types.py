"""What goes into the registry and what comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

KEYS_A_TAG = 250
"""So many keys of requests fit into one tag of a version."""
ANSWERS = "answers_"
"""Tags of this name hold the keys of the requests that a version answers."""


@dataclass(frozen=True)
class Submission:
    """A trained model on its way into the registry."""

    data: bytes
    """The model file (`infra.artifact.dump`)."""
    card: Mapping[str, Any]
    """Its card: features, training_start, training_end and more, plain JSON."""
    triggers: Sequence[str]
    """Ids of the events that asked for the training, which it answers all; it is registered for the first."""
    announcement: Mapping[str, Any]
    """What ModelTrained says beside name, file and run, plain JSON: kept, so that a repeat says the same."""
    promoted: bool
    why: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    folds: Sequence[Mapping[str, float]] = ()
    """Measures of each part that was judged for itself, in order of time: a metric's steps, from 1 on."""
    params: Mapping[str, str | float | None] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """For example `prefect_run_id`, `trigger_reason`, `data_version`: of the run and of the version."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG bytes by file name."""
    report: str = ""
    """The model card, markdown."""
    input_example: Mapping[str, float | None] | None = None
    """A row as the model takes it, by feature."""

    @property
    def trigger(self) -> str:
        """Id of the request that the version is registered for, once."""
        return self.triggers[0]


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
    report: str = ""
    """The model card, markdown."""
    tags: Mapping[str, str] = field(default_factory=dict)

    def answers(self, trigger: str) -> bool:
        """Tell whether the training answered this request."""
        return trigger == self.trigger or key_of(trigger) in self._keys

    @cached_property
    def _keys(self) -> frozenset[str]:
        held = (text for name, text in self.tags.items() if name.startswith(ANSWERS))
        return frozenset(key for text in held for key in text.split())


def key_of(trigger: str) -> str:
    """Shorten the id of a request, which may hold anything, to 16 hexadecimal digits."""
    return sha256(trigger.encode()).hexdigest()[:16]


def answer_tags(triggers: Sequence[str]) -> dict[str, str]:
    """Write which requests a version answers as tags that MLflow can hold."""
    keys = [key_of(trigger) for trigger in triggers]
    starts = range(0, len(keys), KEYS_A_TAG)
    return {f"{ANSWERS}{start}": " ".join(keys[start : start + KEYS_A_TAG]) for start in starts}
