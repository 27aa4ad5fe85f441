"""What a person could look at, and when it was there to be seen: topics, and the API with its stream."""

import csv
import io
import json
import os
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from events.envelope import Event, Metadata, encode
from events.payloads import Payload
from infra.bootstrap import Loop
from infra.kafka import clients
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.telemetry.ports import address_of

BUSY = 2.0 if os.environ.get("CI") else 1.0
"""A machine that runs everything at once may take twice as long."""


class Seen(NamedTuple):
    """A record: when it could be read, when it was written (seconds since 1970), and what it says."""

    at: float
    written: float
    topic: str
    offset: int
    event: dict[str, Any]

    @property
    def payload(self) -> dict[str, Any]:
        """What the event says."""
        found: dict[str, Any] = self.event["payload"]
        return found


class Tail(threading.Thread):
    """Reads topics as they grow, committed records alone."""

    def __init__(self, settings: Settings, *topics: str) -> None:
        """Begin at the topics' beginnings, once it is started."""
        super().__init__(daemon=True)
        self._settings, self._topics = settings, topics
        self._ended = threading.Event()
        self.seen: list[Seen] = []

    def run(self) -> None:
        """Read until `close`."""
        reader = clients.consumer(self._settings, fetch_max_wait_ms=20)
        spots = [TopicPartition(t, p) for t in self._topics for p in range(partitions(self._settings, t))]
        reader.assign(spots)
        reader.seek_to_beginning()
        try:
            while not self._ended.is_set():
                batches = reader.poll(timeout_ms=50).values()
                now = time.time()
                self.seen += [_seen(record, now) for batch in batches for record in batch]
        finally:
            reader.close(autocommit=False)

    def first(self, topic: str, since: int, **said: object) -> Seen | None:
        """Find the first record of a kind among those that were read after the first `since`."""
        return next((one for one in self.seen[since:] if one.topic == topic and _says(one, said)), None)

    def close(self) -> None:
        """Stop reading."""
        self._ended.set()
        self.join(20)


def _seen(record: Any, now: float) -> Seen:
    return Seen(now, record.timestamp / 1000, record.topic, record.offset, json.loads(record.value))


def _says(one: Seen, said: dict[str, object]) -> bool:
    return all({**one.payload, "event_type": one.event["event_type"]}.get(k) == v for k, v in said.items())


class Listener(threading.Thread):
    """Listens to the API's stream, as a page does."""

    def __init__(self, settings: Settings) -> None:
        """Connect once it is started."""
        super().__init__(daemon=True)
        self._url = f"{settings.web_ui}/api/v1/stream"
        self._ended = threading.Event()
        self.heard: list[tuple[float, dict[str, int]]] = []

    def run(self) -> None:
        """Listen until `close`; a heartbeat comes every quarter of a minute."""
        with urllib.request.urlopen(self._url, timeout=60) as answer:  # noqa: S310  (our own)
            for line in answer:
                if self._ended.is_set():
                    return
                if line.startswith(b"data:"):
                    self.heard.append((time.time(), json.loads(line[5:]).get("topics", {})))

    def when(self, topic: str, offset: int) -> float | None:
        """Tell when a page knew that a topic's record is on the read side; for topics of one partition."""
        return next((at for at, moved in self.heard if moved.get(topic, 0) > offset), None)

    def close(self) -> None:
        """Stop listening, at the next line."""
        self._ended.set()


def publish(settings: Settings, topic: str, *payloads: Payload) -> None:
    """Publish events as a foreign client does, in one transaction."""
    loop = Loop(settings)
    source = Source(loop.pool, f"test-{uuid.uuid4().hex}")
    source.open()
    source.publish([Outgoing(topic, payload.key.encode(), _written(payload)) for payload in payloads])
    source.close()
    loop.close()


def _written(payload: Payload) -> bytes:
    name = uuid.uuid4().hex
    return encode(Event(datetime.now(UTC), "test", payload, Metadata(name, name)))


def asked(settings: Settings, path: str) -> Any:
    """Ask the API."""
    with urllib.request.urlopen(f"{settings.web_ui}/api/v1/{path}", timeout=20) as answer:  # noqa: S310
        return json.loads(answer.read())


def measured(settings: Settings, process: str, name: str, **labels: str) -> float:
    """Read a metric as Prometheus does; of several series that have these labels the largest, 0 of none."""
    with urllib.request.urlopen(address_of(settings, process), timeout=20) as answer:  # noqa: S310
        families = text_string_to_metric_families(answer.read().decode())
    samples = [one for family in families for one in family.samples if one.name == name]
    return max((one.value for one in samples if labels.items() <= one.labels.items()), default=0.0)


def once(look: Callable[[], Any], within: float, pause: float = 0.02) -> float:
    """Look again and again; tells when it was first there.

    Raises:
        AssertionError: it never was.
    """
    deadline = time.monotonic() + within
    while not look():
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(pause)
    return time.time()


def shocked(data: bytes, factor: float) -> tuple[str, bytes]:
    """Let the dearest share of a daily file close at a multiple; gives its symbol and the file."""
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    dearest = max(rows, key=lambda row: float(row["Close"]))
    close = f"{float(dearest['Close']) * factor:.2f}"
    dearest |= {"Close": close, "LTP": close, "High": max(dearest["High"], close, key=float)}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return dearest["Symbol"], out.getvalue().encode()
