"""`python -m bench alerts`: from a breach to who is told; a process that stands still; a storm.

On a stack of its own that judges and tells, with a webhook on this machine as its channel.
"""

import json
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from bench.processes import say
from bench.receiver import Webhook, webhook
from bench.servers import servers
from events.envelope import Event, Metadata, decode, encode
from events.payloads import ActualAvailable, ErrorComputed, Payload, PredictionExpired, PredictionMade
from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.settings import Settings
from infra.stack import state

PARTS = ("kafka", "s3", "postgres", "prefect", "deploy", "judging", "telling", "projectors")
BEFORE, DAY = date(2024, 3, 3), date(2024, 3, 4)
PATIENCE = 180.0
PAUSE = 65.0
"""Seconds after a message before a route is told at once again."""
AFTER_STORM = 130.0
"""Seconds in which messages about a storm are counted: two windows and more."""
ALERTS = TopicPartition("alerts", 0)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: prices that jump, and errors at once."""

    shocks: int = 5
    storm: int = 10_000


class Mark(NamedTuple):
    """How many alerts and messages there were at a moment: what came before it answers no question."""

    alerts: int
    bodies: int


@dataclass
class Figures:
    """What was measured, as JSON types; seconds."""

    shocks: list[dict[str, float]] = field(default_factory=list)
    """From the error event: until the alert, until the channel."""
    standstill: dict[str, float] = field(default_factory=dict)
    storm: dict[str, float] = field(default_factory=dict)


class Bench:
    """A running stack, who publishes to it, and who is told."""

    def __init__(self, settings: Settings, hook: Webhook) -> None:
        """Open the clients."""
        self.settings, self.hook = settings, hook
        self._pool = Pool(settings)
        self._source = Source(self._pool, f"bench-{uuid.uuid4().hex[:8]}")
        self._source.open()
        self._reader = KafkaConsumer(bootstrap_servers=settings.bootstrap, isolation_level="read_committed")
        self._reader.assign([ALERTS])
        self._reader.seek_to_beginning()
        self.alerts: list[tuple[float, Any]] = []
        """What is on `alerts`: when it was appended, and its payload."""

    def publish(self, topic: str, *payloads: Payload) -> float:
        """Publish events of a foreign client; tells when they could be read."""
        self._source.publish(
            [Outgoing(topic, payload.key.encode(), _written(payload)) for payload in payloads]
        )
        return time.time()

    def mark(self) -> Mark:
        """Tell how many alerts and messages there are now."""
        self.read()
        return Mark(len(self.alerts), len(self.hook.bodies))

    def await_(self, what: str, true: Callable[[Any], bool], since: Mark, seconds: float = PATIENCE) -> float:
        """Wait for an event on `alerts`; tells when it was appended.

        Raises:
            SystemExit: it did not come in time.
        """
        deadline, seen = time.monotonic() + seconds, since.alerts
        while time.monotonic() < deadline:
            self.read()
            for when, payload in self.alerts[seen:]:
                if true(payload):
                    return when
            seen = len(self.alerts)
        message = f"nothing was told of {what} within {seconds:g} s"
        raise SystemExit(message)

    def read(self) -> None:
        """Read what is new on `alerts`."""
        for batch in self._reader.poll(timeout_ms=50).values():
            self.alerts += [(record.timestamp / 1000, decode(record.value).payload) for record in batch]

    def told(self, text: str, since: Mark, seconds: float = PATIENCE) -> float:
        """Wait until the channel was told of something; tells when.

        Raises:
            SystemExit: it was not in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            heard = list(zip(self.hook.times, self.hook.bodies, strict=False))
            for when, body in heard[since.bodies :]:
                if text in body:
                    return when
            time.sleep(0.01)
        message = f"the channel was not told of {text} within {seconds:g} s"
        raise SystemExit(message)

    def calm(self) -> None:
        """Wait until the route is told at once again, and not in the digest of a minute."""
        last = self.hook.times[-1] if self.hook.times else 0.0
        time.sleep(max(0.0, last + PAUSE - time.time()))

    def close(self) -> None:
        """Close the clients."""
        self._source.close()
        self._pool.close()
        self._reader.close(autocommit=False)


def _written(payload: Payload) -> bytes:
    name = uuid.uuid4().hex
    return encode(Event(datetime.now(UTC), "bench", payload, Metadata(name, name, 0, None, None)))


def measure(sizes: Sizes) -> Figures:
    """Measure everything on one stack."""
    figures = Figures()
    with webhook() as hook, _channel(hook), servers(*PARTS) as settings:
        bench = Bench(settings, hook)
        try:
            say("a price shock that is not counted: the first work of a process is slow")
            shock(bench, "FIRST")
            for number in range(sizes.shocks):
                bench.calm()
                say(f"price shock {number + 1} of {sizes.shocks}")
                figures.shocks.append(shock(bench, f"SHOCK{number}"))
            bench.calm()
            say("a process stands still")
            figures.standstill = standstill(bench)
            bench.calm()
            say(f"a storm of {sizes.storm:,} errors")
            figures.storm = storm(bench, sizes.storm)
        finally:
            bench.close()
    return figures


@contextmanager
def _channel(hook: Webhook) -> Iterator[None]:
    """Name the webhook as the stack's channel, in the environment that its processes inherit."""
    os.environ["NEPSE_NOTIFY_CHANNELS"] = json.dumps({"hook": hook.url()})
    try:
        yield
    finally:
        del os.environ["NEPSE_NOTIFY_CHANNELS"]


def shock(bench: Bench, symbol: str) -> dict[str, float]:
    """Let a close be ten times the prediction; the rest is the stack's own work."""
    since = bench.mark()
    made = PredictionMade(symbol=symbol, date=DAY, predicted_close=100.0, model_version="v0", as_of=BEFORE)
    bench.publish("predictions", made)
    began = bench.publish("actuals", ActualAvailable(symbol=symbol, date=DAY, actual_close=1_000.0))
    raised = bench.await_(symbol, lambda payload: getattr(payload, "symbol", None) == symbol, since)
    told = bench.told(symbol, since)
    return {"raised": raised - began, "told": told - began}


def standstill(bench: Bench) -> dict[str, float]:
    """Stop the process that judges, with an event waiting for it; then let it go on."""
    known = state.read_state(bench.settings.home)
    if known is None:
        message = "the stack is not running"
        raise SystemExit(message)
    pid, since = known.parts["judging"].pid, bench.mark()
    os.kill(pid, signal.SIGSTOP)
    try:
        waits = PredictionExpired(symbol="WAITS", date=DAY, predicted=1.0, sessions_waited=1)
        stopped = bench.publish("errors", waits)
        raised = bench.await_("the lag", lambda payload: _lags(payload, "AlertRaised"), since)
        told = bench.told("monitor: ", since)
    finally:
        os.kill(pid, signal.SIGCONT)
    went_on = time.time()
    resolved = bench.await_("the end of the lag", lambda payload: _lags(payload, "AlertResolved"), since)
    return {"raised": raised - stopped, "told": told - stopped, "resolved": resolved - went_on}


def _lags(payload: Any, kind: str) -> bool:
    return (
        type(payload).__name__ == kind
        and payload.rule == "lagging_seconds"
        and payload.labels == {"flow": "monitor"}
    )


def storm(bench: Bench, size: int) -> dict[str, float]:
    """Publish errors that all breach two rules, and count the alerts and the messages."""
    before, messages = bench.mark()
    errors = [breach(number, DAY) for number in range(size)]
    began = bench.publish("errors", *errors)
    found: Counter[str] = Counter()
    while sum(found.values()) < 2 * size and time.time() < began + PATIENCE:
        bench.read()
        stormy = (
            p for _, p in bench.alerts[before:] if (getattr(p, "symbol", None) or "").startswith("STORM")
        )
        found = Counter(payload.rule for payload in stormy)
    seconds = time.time() - began
    time.sleep(AFTER_STORM)
    told = len(bench.hook.bodies) - messages
    return {"errors": size, "alerts": sum(found.values()), "seconds": seconds, "messages": told}


def breach(number: int, day: date) -> ErrorComputed:
    """An error that breaches the rule about rupees and the one about percent."""
    return ErrorComputed(
        symbol=f"STORM{number}",
        date=day,
        predicted=1_000.0,
        actual=100.0,
        error=900.0,
        abs_error=900.0,
        pct_error=900.0,
        model_version="v0",
        as_of=day,
    )
