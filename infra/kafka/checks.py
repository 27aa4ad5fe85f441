"""What the broker and the topics have to be set to, because nothing would fail at once without it.

A broker that forgets a group's offsets, or a topic that forgets records, is noticed weeks later. So it is
looked at before a sensor starts, on a broker of somebody else as well.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from events.topics import DAY_MS, LETTER_BYTES, TOPICS, Topic
from infra.errors import StopError
from infra.kafka import clients
from infra.kafka.topics import SAFE_COPIES, check
from infra.settings import Settings

YEAR_MINUTES = 365 * DAY_MS // 60_000
KEPT_FOREVER = -1

Config = Mapping[str, str]


def require(settings: Settings, topics: Sequence[str]) -> None:
    """Refuse to work with a broker or with topics that would lose something silently.

    Raises:
        StopError: a setting is wrong, a topic is missing, or a partition count has changed.
        TryAgainError: the broker did not answer.
    """
    wanted = (*topics, "slices", "dead-letters")
    with clients.answering(settings):
        found = faults(settings, wanted)
    if found:
        message = (
            f"the broker at {settings.bootstrap} is not set up as this system needs it: {'; '.join(found)}."
            f" Mend it (kafka-configs.sh --alter), then start the sensors again"
        )
        raise StopError(message)


def faults(settings: Settings, topics: Sequence[str] = tuple(TOPICS)) -> list[str]:
    """Name what is wrong with the broker and these topics, each with what it has to be.

    Raises:
        StopError: a topic has another number of partitions than expected.
    """
    admin = clients.admin(settings)
    try:
        nodes = [str(node["broker_id"]) for node in admin.describe_cluster()["brokers"]]
        brokers = _configs(admin, ConfigResourceType.BROKER, nodes)
        described = [t for t in admin.describe_topics(sorted(set(topics))) if t["partitions"]]
        there = {topic["name"]: topic["partitions"] for topic in described}
        configs = _configs(admin, ConfigResourceType.TOPIC, list(there))
    finally:
        admin.close()
    check(settings, {name: len(partitions) for name, partitions in there.items()})
    found = [fault for config in brokers.values() for fault in broker_faults(config, settings)]
    for name in sorted(set(topics)):
        copies = _copies(there.get(name, []))
        found += topic_faults(TOPICS[name], configs.get(name), copies, settings.replication)
    return found


def _configs(admin: KafkaAdminClient, kind: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """Read the settings in force, by the name of the broker or topic."""
    if not names:
        return {}
    found = admin.describe_configs([ConfigResource(kind, name) for name in names], config_filter="all")
    return {
        name: {setting: text["value"] for setting, text in config.items()}
        for configs in found.values()
        for name, config in configs.items()
    }


def _copies(partitions: list[dict[str, Any]]) -> int:
    return min((len(partition["replica_nodes"]) for partition in partitions), default=0)


def broker_faults(config: Config, settings: Settings) -> list[str]:
    """Compare a broker's settings in force with what is relied on; more is always well."""
    least = {
        "offsets.retention.minutes": YEAR_MINUTES,
        "transaction.max.timeout.ms": settings.transaction_timeout_ms,
        "message.max.bytes": clients.MAX_REQUEST_BYTES,
        **_copied(settings.replication),
    }
    found = [_told(name, config, f"at least {n}") for name, n in least.items() if _number(config, name) < n]
    if config.get("auto.create.topics.enable") != "false":
        found.append(_told("auto.create.topics.enable", config, "false"))
    return found


def _copied(replication: int) -> dict[str, int]:
    """Progress and transactions have to outlive a broker as the records do."""
    if replication == 1:
        return {}
    names = ("offsets.topic.replication.factor", "transaction.state.log.replication.factor")
    fewest = ("transaction.state.log.min.isr", "min.insync.replicas") if replication >= SAFE_COPIES else ()
    return dict.fromkeys(names, replication) | dict.fromkeys(fewest, 2)


def topic_faults(topic: Topic, config: Config | None, copies: int, replication: int = 1) -> list[str]:
    """Compare a topic's settings in force with how it is declared, and its replicas with those asked for."""
    if config is None:
        return [f"there is no topic {topic.name}: run 'nepse up', or python -m infra.stack.setup kafka"]
    if copies < replication:
        return [f"topic {topic.name} has {copies} replicas, NEPSE_REPLICATION asks for {replication}"]
    rules: list[tuple[str, Callable[[float], bool], str]] = [
        *((name, _keeps(float(text)), f"at least {text}") for name, text in topic.config.items()),
        ("min.insync.replicas", lambda n: n <= copies, f"at most {copies}, the number of replicas"),
    ]
    if topic.name == "dead-letters":
        rules.append(("max.message.bytes", lambda n: n >= LETTER_BYTES, f"at least {LETTER_BYTES}"))
    if copies >= SAFE_COPIES:
        rules.append(("min.insync.replicas", lambda n: n > 1, "at least 2"))
    found = [(name, words) for name, good, words in rules if not good(_number(config, name))]
    if config.get("cleanup.policy") != "delete":
        found.append(("cleanup.policy", "delete"))
    return [f"topic {topic.name}: {_told(name, config, words)}" for name, words in dict.fromkeys(found)]


def _keeps(least: float) -> Callable[[float], bool]:
    """Accept what is kept as long, or for ever (-1)."""
    if least == KEPT_FOREVER:
        return lambda n: n == KEPT_FOREVER
    return lambda n: n == KEPT_FOREVER or n >= least


def _number(config: Config, name: str) -> float:
    """Read a number; one that the broker did not tell counts as too small."""
    text = config.get(name)
    return float(text) if text is not None else float("-inf")


def _told(name: str, config: Config, wanted: str) -> str:
    return f"{name} is {config.get(name, 'not known')}, {wanted} is needed"
