"""A topic of one partition in memory, as the logs of topics that flows look things up in."""

from datetime import UTC, datetime
from typing import Any

from events.envelope import Event, Metadata
from events.payloads import Payload
from infra.kafka.records import Place, Received

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Log:
    """A topic in memory."""

    def __init__(self, topic: str, *payloads: Payload) -> None:
        """One event an offset."""
        self.topic, self.entries = topic, list[Received[Any]]()
        for payload in payloads:
            self.add(Event(NOON, "test", payload, Metadata(f"{topic}-{len(self.entries)}", "chain")))

    def add(self, event: Event[Any]) -> None:
        """Append an event."""
        self.entries.append(Received(event, Place(self.topic, 0, len(self.entries)), None, b""))

    def refresh(self) -> int:
        """All is known."""
        return len(self.entries)

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """As the log of a topic does."""
        return self.entries[start:end]

    def has(self, event_id: str) -> bool:
        """Look an id up."""
        return any(one.id == event_id for one in self.entries)
