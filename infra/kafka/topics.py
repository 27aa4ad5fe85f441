"""Creating the topics once, and refusing to work with topics that are not what the code expects."""

from functools import partial

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

from events.payloads import SliceCommitted
from events.topics import CO_PARTITIONED, TOPICS, Topic
from infra.errors import StopError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.kafka.log import TopicLog
from infra.kafka.records import of_kind
from infra.settings import Settings
from infra.wiring import Route, routes

ASK_MS = 30_000
ASK_SECONDS = 40.0
CREATE_SECONDS = 90.0
SAFE_COPIES = 3
"""From so many replicas on, an acknowledged record has to be in two of them."""


def ensure(settings: Settings) -> list[str]:
    """Create missing topics with their groups' offsets at 0, check the others; returns what was created.

    Raises:
        StopError: an existing topic has another number of partitions than expected.
        TryAgainError: the broker did not answer.
    """
    created = clients.asked(settings, partial(_create, settings), CREATE_SECONDS, "creating topics")
    for route in routes():
        _start_group(settings, route, set(created))
    return created


def _create(settings: Settings, admin: KafkaAdminClient) -> list[str]:
    existing = _counts(sorted(admin.list_topics()), admin)
    check(settings, existing)
    missing = [topic for topic in TOPICS.values() if topic.name not in existing]
    if missing:
        admin.create_topics([_new(settings, topic) for topic in missing], wait_for_metadata=True)
    return [topic.name for topic in missing]


def _counts(names: list[str], admin: KafkaAdminClient) -> dict[str, int]:
    """Tell how many partitions the topics have; those that are not there are left out."""
    return {t["name"]: len(t["partitions"]) for t in admin.describe_topics(names) if t["partitions"]}


def require_counts(settings: Settings) -> None:
    """Look whether all topics have the partitions that keys are spread over, before something is written.

    Raises:
        StopError: a count has changed.
        TryAgainError: the broker did not answer.
    """
    with clients.answering(settings):
        ask = partial(_counts, sorted(TOPICS))
        check(settings, clients.asked(settings, ask, ASK_SECONDS, "the numbers of partitions"))


def partitions(settings: Settings, topic: str) -> int:
    """Tell how many partitions a topic has to have."""
    return settings.partitions if TOPICS[topic].spread else 1


def check(settings: Settings, existing: dict[str, int]) -> None:
    """Compare partition counts; keys must keep their partition, and joined topics must agree.

    Raises:
        StopError: a count changed.
    """
    wrong = [
        f"topic {name} has {count} partitions, expected {partitions(settings, name)}"
        for name, count in existing.items()
        if name in TOPICS and count != partitions(settings, name)
    ]
    if wrong:
        message = (
            f"{'; '.join(wrong)}: keys would move. Set NEPSE_PARTITIONS back, or make a new stack and ingest"
            f" again."
        )
        raise StopError(message)
    if len({existing[name] for name in CO_PARTITIONED if name in existing}) > 1:
        message = f"{' and '.join(CO_PARTITIONED)} must have the same number of partitions to be joined"
        raise StopError(message)


def _new(settings: Settings, topic: Topic) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=partitions(settings, topic.name),
        replication_factor=settings.replication,
        topic_configs=topic.config | {"unclean.leader.election.enable": "false"} | _acknowledging(settings),
    )


def _acknowledging(settings: Settings) -> dict[str, str]:
    """Let one replica be away, not two: then what was acknowledged outlives any one broker."""
    return {"min.insync.replicas": "2"} if settings.replication >= SAFE_COPIES else {}


def _start_group(settings: Settings, route: Route, created: set[str]) -> None:
    """Write offset 0 for a new topic, or for a new flow, once: later a missing offset is a fault."""
    reader = clients.consumer(settings, group=route.flow)
    try:
        spots = [TopicPartition(t, p) for t in route.topics for p in range(partitions(settings, t))]
        known = [s for s in spots if s.topic not in created]
        missing = answered(partial(_missing, reader, known), ASK_SECONDS, f"the offsets of {route.flow}")
        fresh = [s for s in spots if s.topic in created]
        fresh += missing if missing and not _ever_committed(settings, route.flow) else []
        if fresh:
            answered(partial(_begin, reader, fresh), ASK_SECONDS, f"the first offsets of {route.flow}")
    finally:
        close(reader)


def _missing(reader: KafkaConsumer, spots: list[TopicPartition]) -> list[TopicPartition]:
    return [spot for spot in spots if reader.committed(spot, timeout_ms=ASK_MS) is None]


def _begin(reader: KafkaConsumer, spots: list[TopicPartition]) -> None:
    reader.assign(spots)
    reader.commit({spot: OffsetAndMetadata(0, "created", -1) for spot in spots}, timeout_ms=ASK_MS)


def _ever_committed(settings: Settings, flow: str) -> bool:
    """Look through the whole ledger, which only a group without offsets is worth."""
    ledger = TopicLog(settings, "slices")
    try:
        entries = ledger.between(0, ledger.refresh())
        return any(entry.payload.flow == flow for entry in of_kind(entries, SliceCommitted))
    finally:
        ledger.close()
