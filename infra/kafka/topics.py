"""Creating the topics once, and refusing to work with topics that are not what the code expects."""

from kafka import TopicPartition
from kafka.admin import NewTopic
from kafka.structs import OffsetAndMetadata

from events.topics import CO_PARTITIONED, TOPICS, Topic
from infra.errors import StopError
from infra.kafka import clients
from infra.settings import Settings
from infra.wiring import Route, routes


def ensure(settings: Settings) -> list[str]:
    """Create missing topics with their groups' offsets at 0, check the others; returns what was created.

    Raises:
        StopError: an existing topic has another number of partitions than expected.
    """
    admin = clients.admin(settings)
    try:
        existing = {
            t["name"]: len(t["partitions"]) for t in admin.describe_topics(sorted(admin.list_topics()))
        }
        check(settings, existing)
        missing = [topic for topic in TOPICS.values() if topic.name not in existing]
        if missing:
            admin.create_topics([_new(settings, topic) for topic in missing], wait_for_metadata=True)
    finally:
        admin.close()
    for route in routes():
        _start_group(settings, route, [t for t in missing if t.name in route.topics])
    return [topic.name for topic in missing]


def partitions(settings: Settings, topic: str) -> int:
    """Tell how many partitions a topic has to have."""
    return settings.partitions if TOPICS[topic].spread else 1


def check(settings: Settings, existing: dict[str, int]) -> None:
    """Compare partition counts; keys must keep their partition, and joined topics must agree.

    Raises:
        StopError: a count changed.
    """
    for name, count in existing.items():
        if name in TOPICS and count != partitions(settings, name):
            message = (
                f"topic {name} has {count} partitions, expected {partitions(settings, name)}: keys would"
                f" move. Set NEPSE_PARTITIONS back, or make a new stack and ingest again."
            )
            raise StopError(message)
    if len({existing[name] for name in CO_PARTITIONED if name in existing}) > 1:
        message = f"{' and '.join(CO_PARTITIONED)} must have the same number of partitions to be joined"
        raise StopError(message)


def _new(settings: Settings, topic: Topic) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=partitions(settings, topic.name),
        replication_factor=1,
        topic_configs=topic.config,
    )


def _start_group(settings: Settings, route: Route, created: list[Topic]) -> None:
    """Write offset 0 for a new topic, once: later a missing offset is a fault, not a beginning."""
    if not created:
        return
    consumer = clients.consumer(settings, group=route.flow)
    try:
        spots = [TopicPartition(t.name, p) for t in created for p in range(partitions(settings, t.name))]
        consumer.assign(spots)
        consumer.commit({spot: OffsetAndMetadata(0, "created", -1) for spot in spots}, timeout_ms=30_000)
    finally:
        consumer.close(autocommit=False)
