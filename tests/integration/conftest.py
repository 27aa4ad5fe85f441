"""What integration tests share: a small market in the stack, a foreign producer, and patient reading."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from events.topics import TOPICS
from infra.kafka import clients
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.stack.java import console_tool
from tasks.core.simulator import write_market

Read = Callable[..., dict[str, Any]]
Produce = Callable[[str, dict[str, Any]], None]
SECONDS = 90.0


@pytest.fixture(scope="session")
def read(stack: Settings) -> Read:
    """Wait for the first committed record of a topic whose event passes a check; returns the record."""

    def find(topic: str, passes: Callable[[Any], bool], seconds: float = SECONDS) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        for record in _records(stack, topic, deadline):
            if passes(record["event"]):
                return record
        message = f"nothing on {topic} passed the check within {seconds:g} s"
        raise AssertionError(message)

    assert set(TOPICS) >= {"raw-data", "models"}
    return find


def _records(settings: Settings, topic: str, deadline: float) -> Iterator[dict[str, Any]]:
    consumer = clients.consumer(settings, fetch_max_wait_ms=100)
    try:
        spots = [TopicPartition(topic, p) for p in range(partitions(settings, topic))]
        consumer.assign(spots)
        for spot in spots:
            consumer.seek(spot, 0)
        while time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=300).values():
                yield from (_told(record) for record in batch)
    finally:
        consumer.close(autocommit=False)


def _told(record: Any) -> dict[str, Any]:
    headers = {name: value.decode() for name, value in record.headers}
    event = json.loads(record.value) if topic_is_ours(record.topic) else record.value
    return {"event": event, "headers": headers, "key": record.key, "partition": record.partition}


def topic_is_ours(topic: str) -> bool:
    """Tell whether a topic's values are events of ours (dead letters hold anybody's bytes)."""
    return topic != "dead-letters"


@pytest.fixture(scope="session")
def produce(stack: Settings) -> Produce:
    """Publish an event with the broker's own console producer: no key, no metadata, not Python."""

    def publish(topic: str, event: dict[str, Any]) -> None:
        command = console_tool(stack, "console-producer", "--topic", topic)
        done = subprocess.run(
            command, input=json.dumps(event) + "\n", capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    return publish


@pytest.fixture(scope="session")
def market(
    stack: Settings,
    cli: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A small simulated market, around the chapter's dates, ingested by the command line."""
    folder = tmp_path_factory.mktemp("market")
    for name, content in write_market(sessions=130, symbols=40, seed=7, daily=3):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    done = cli("ingest", "--home", str(stack.home), str(folder / "history.parquet"), within=280)
    assert done.returncode == 0, done.stderr
    return folder
