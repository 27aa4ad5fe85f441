"""Which topics these are: one that was made anew under its name holds other records at the same offsets."""

import hashlib
from collections.abc import Iterable
from typing import Any

from kafka import KafkaAdminClient

from infra.errors import TryAgainError
from infra.kafka import clients
from infra.settings import Settings

ANSWER_SECONDS = 10.0
LENGTH = 16
"""Hexadecimal digits of a name."""
TAG = "topics"

_known: dict[tuple[str, tuple[str, ...]], str] = {}


def identity(settings: Settings, topics: Iterable[str]) -> str:
    """Name these topics of this cluster by their ids; asked once a process. One made anew has another name.

    Raises:
        TryAgainError: the broker does not answer, or tells no id of one of them.
    """
    if found := _named(settings, topics):
        return found
    message = f"the broker at {settings.bootstrap} tells no id of one of {', '.join(sorted(set(topics)))}"
    raise TryAgainError(message)


def identity_tag(settings: Settings, topics: Iterable[str]) -> str:
    """Write the name as a run's tag. Raises like `identity`."""
    return f"{TAG}:{identity(settings, topics)}"


def tagged(tags: Iterable[str]) -> set[str]:
    """Pick the tags that name topics; runs of before have none."""
    return {tag for tag in tags if tag.startswith(f"{TAG}:")}


def is_of(settings: Settings, tags: Iterable[str], topics: Iterable[str]) -> bool:
    """Tell whether a run's tags name these topics as they are now.

    Raises:
        TryAgainError: the broker does not answer, or tells no id of one of them.
    """
    named = tagged(tags)
    return bool(named) and identity_tag(settings, topics) in named


def _named(settings: Settings, topics: Iterable[str]) -> str | None:
    asked = (settings.bootstrap, tuple(sorted(set(topics))))
    if asked not in _known:
        ids = _ids(settings, asked[1])
        if None in ids:
            return None  # not kept: it may be there in a moment
        _known[asked] = hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()[:LENGTH]
    return _known[asked]


def _ids(settings: Settings, topics: tuple[str, ...]) -> list[str | None]:
    """Ask for the id of the cluster and of each topic; None where there is none."""

    def ask(admin: KafkaAdminClient) -> tuple[str, list[dict[str, Any]]]:
        return str(admin.describe_cluster()["cluster_id"]), admin.describe_topics(list(topics))

    with clients.answering(settings):
        cluster, told = clients.asked(settings, ask, ANSWER_SECONDS, "ids of the cluster and of topics")
    ids = {one["name"]: str(one["topic_id"]) for one in told if one["partitions"]}
    return [cluster, *(ids.get(topic) for topic in topics)]
