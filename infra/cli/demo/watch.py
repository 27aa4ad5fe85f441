"""Watching the topics from outside, as any consumer could: what arrived, and when it became visible."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kafka import TopicPartition

from events.envelope import ContractError, Event, decode
from events.payloads import (
    DataIngested,
    ErrorComputed,
    FeaturesComputed,
    ModelRetrainingTriggered,
    ModelTrained,
    PredictionMade,
    SliceCommitted,
)
from events.topics import TOPICS
from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.bounded import answered
from infra.kafka.lag import unsettled
from infra.kafka.topics import partitions
from infra.settings import Settings

LEDGER_TELLS = {"compute-features": "features", "predict": "predictions", "join-errors": "errors"}
"""Whose number of published events is a topic's number."""
ANSWER_SECONDS = 5.0
HEAVY = {"actuals", *LEDGER_TELLS.values()}


@dataclass
class Played:
    """One session as it was played: counts, and the seconds from DataIngested to the last PredictionMade."""

    day: str
    rows: int
    predictions: int = 0
    errors: int = 0
    seconds: float = 0.0


@dataclass
class Watcher:
    """A read_committed consumer of every topic that keeps what the demo tells."""

    settings: Settings
    counts: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    errors: list[ErrorComputed] = field(default_factory=list)
    models: list[ModelTrained] = field(default_factory=list)
    triggers: list[ModelRetrainingTriggered] = field(default_factory=list)
    alerts_before: int = 0
    live: bool = False
    _seen: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    _at: dict[TopicPartition, int] = field(default_factory=dict)
    _announced: dict[str, datetime] = field(default_factory=dict)
    _readers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start at the end of the topics that tell enough while the history is loaded."""
        self._assign([topic for topic in TOPICS if topic not in HEAVY])

    def _assign(self, topics: list[str]) -> None:
        """Read these topics: the ones already read go on, the others begin at their end."""
        self._spots = [TopicPartition(t, p) for t in topics for p in range(partitions(self.settings, t))]
        self._consumer = clients.consumer(self.settings, fetch_max_wait_ms=100)
        ask = partial(self._consumer.end_offsets, self._spots, timeout_ms=10_000)
        ends = answered(ask, ANSWER_SECONDS, "end offsets")
        self._at = {spot: self._at.get(spot, ends[spot]) for spot in self._spots}
        self._take_up()

    def _take_up(self) -> None:
        self._consumer.assign(self._spots)
        for spot, offset in self._at.items():
            self._consumer.seek(spot, offset)

    def go_live(self, history_rows: int) -> None:
        """From here on read every topic; what the history made of the heavy ones, the ledger has told."""
        self._assign(list(TOPICS))
        self.live, self.alerts_before = True, self.counts["alerts"]
        self.counts["actuals"] += history_rows
        for flow, topic in LEDGER_TELLS.items():
            self.counts[topic] += self.sent[flow]

    def look(self, timeout_ms: int = 20) -> None:
        """Take in what has become visible."""
        poll = partial(self._consumer.poll, timeout_ms=timeout_ms, max_records=20_000)
        try:
            batches = answered(poll, ANSWER_SECONDS, "the demo's poll")
        except TryAgainError:  # the client hangs: a new one goes on where this one was
            self._consumer = clients.consumer(self.settings, fetch_max_wait_ms=100)
            self._take_up()
            return
        now = datetime.now(UTC)
        for spot, records in batches.items():
            self._at[spot] = records[-1].offset + 1
            self.counts[spot.topic] += len(records)
            if self.live or spot.topic != "alerts":
                for record in records:
                    self._take(record.value, now)

    def _take(self, value: bytes, now: datetime) -> None:
        try:
            event: Event[Any] = decode(value)
        except ContractError:
            return  # dead letters keep foreign bytes
        payload = event.payload
        if isinstance(payload, SliceCommitted):
            self.sent[payload.flow] += payload.counts.get("out", 0)
        elif isinstance(payload, ModelTrained):
            self.models.append(payload)
        elif isinstance(payload, ModelRetrainingTriggered):
            self.triggers.append(payload)
        elif isinstance(payload, DataIngested):
            self._announced[str(payload.date)] = event.timestamp
        elif isinstance(payload, ErrorComputed):
            self.errors.append(payload)
        elif isinstance(payload, (PredictionMade, FeaturesComputed)):
            day = str(payload.as_of if isinstance(payload, PredictionMade) else payload.date)
            key = f"{event.event_type} {day}"
            self._seen[key] = (self._seen.get(key, (0, now))[0] + 1, now)

    def until(self, done: Callable[[], bool], seconds: float, what: str, every_ms: int = 20) -> None:
        """Look until something is true.

        Raises:
            TryAgainError: it did not become true in time.
        """
        deadline = time.monotonic() + seconds
        while not done():
            self.look(every_ms)
            if time.monotonic() > deadline:
                message = f"{what} did not happen within {seconds:g} s: see 'nepse status', 'nepse lag'"
                raise TryAgainError(message)

    def settled(self, leave_out: str = "") -> bool:
        """Tell whether every flow, or every flow but one, has processed everything."""
        self.look(100)
        try:
            return unsettled(self.settings, self._readers, leave_out) == 0
        except TryAgainError:
            return False

    def play(self, day: str, rows: int) -> Played:
        """Wait until a session has gone through the whole loop but a retraining, and tell how it went."""
        wanted, errors = f"PredictionMade {day}", len(self.errors)
        self.until(lambda: self._seen.get(wanted, (0,))[0] >= rows, 120, f"predictions of {day}")
        self.until(lambda: self.settled("retrain"), 120, f"the end of session {day}")
        count, last = self._seen[wanted]
        joined = len(self.errors) - errors
        return Played(day, rows, count, joined, (last - self._announced[day]).total_seconds())
