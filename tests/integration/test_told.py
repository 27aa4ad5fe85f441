"""On a running stack people are told of what goes wrong, and of its end, within seconds."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from kafka import TopicPartition

from events.envelope import Event, Metadata, encode
from events.payloads import ActualAvailable, Payload, PredictionExpired, PredictionMade
from infra.bootstrap import Loop
from infra.kafka import clients
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.settings import Settings
from infra.stack import state
from tests.conftest import running_stack
from tests.copies import eventually
from tests.receivers import Webhook, webhook

pytestmark = pytest.mark.stack

PARTS = '["kafka","s3","postgres","prefect","deploy","judging","telling","projectors"]'
SHOCK_SECONDS, LAG_SECONDS, RESOLVED_SECONDS = 30, 90, 90
"""Bounds for a busy machine; a quiet one needs a few seconds for the first, half a minute for the second."""
BEFORE, DAY, NEXT = date(2024, 3, 3), date(2024, 3, 4), date(2024, 3, 5)
SPOT = TopicPartition("alerts", 0)


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    """Who is told."""
    with webhook() as found:
        yield found


@pytest.fixture(scope="module")
def telling(hook: Webhook) -> Iterator[Settings]:
    """A stack that judges and tells."""
    channels = json.dumps({"hook": hook.url()})
    with running_stack(NEPSE_PARTS=PARTS, NEPSE_NOTIFY_CHANNELS=channels) as settings:
        yield settings


def publish(settings: Settings, **events: Payload) -> None:
    """Publish an event a topic, as a foreign client does."""
    loop = Loop(settings)
    source = Source(loop.pool, f"test-{uuid.uuid4().hex}")
    source.open()
    now = datetime.now(UTC)
    source.publish([Outgoing(t, p.key.encode(), _written(p, now)) for t, p in events.items()])
    source.close()
    loop.close()


def _written(payload: Payload, now: datetime) -> bytes:
    name = uuid.uuid4().hex
    return encode(Event(now, "test", payload, Metadata(name, name, 1, None, None)))


def alerts(settings: Settings, rule: str, event_type: str) -> list[dict[str, Any]]:
    """List the events about a rule."""
    reader = clients.consumer(settings)
    try:
        reader.assign([SPOT])
        reader.seek_to_beginning()
        found, end = [], reader.end_offsets([SPOT])[SPOT]
        while reader.position(SPOT) < end:
            found += [json.loads(r.value) for batch in reader.poll(500).values() for r in batch]
    finally:
        reader.close(autocommit=False)
    return [one for one in found if one["event_type"] == event_type and one["payload"]["rule"] == rule]


def test_a_price_shock_is_told(telling: Settings, hook: Webhook) -> None:
    """From the close to the alert, and to the channel: both are there, and say the same."""
    made = PredictionMade(symbol="SHOCK", date=DAY, predicted_close=100.0, model_version="v0", as_of=BEFORE)
    publish(telling, predictions=made)
    publish(telling, actuals=ActualAvailable(symbol="SHOCK", date=DAY, actual_close=1_000.0))
    eventually(lambda: bool(alerts(telling, "abs_error", "AlertRaised")), "the alert", SHOCK_SECONDS)
    eventually(lambda: any("SHOCK on 2024-03-04" in body for body in hook.bodies), "the news", SHOCK_SECONDS)
    [alert] = alerts(telling, "abs_error", "AlertRaised")
    assert alert["payload"]["value"] == 900.0
    assert alert["payload"]["labels"] == {"symbol": "SHOCK"}


def test_the_next_session_ends_it(telling: Settings) -> None:
    """The share errs less: what was raised about it is over."""
    made = PredictionMade(symbol="SHOCK", date=NEXT, predicted_close=1_001.0, model_version="v0", as_of=DAY)
    publish(telling, predictions=made)
    close = ActualAvailable(symbol="SHOCK", date=NEXT, actual_close=1_000.0, previous_date=DAY)
    publish(telling, actuals=close)
    eventually(lambda: bool(alerts(telling, "abs_error", "AlertResolved")), "its end", RESOLVED_SECONDS)
    [raised], [resolved] = (alerts(telling, "abs_error", kind) for kind in ("AlertRaised", "AlertResolved"))
    assert raised["payload"]["alert_id"] == resolved["payload"]["alert_id"]


def test_a_process_that_stands_still_is_told_of(telling: Settings, hook: Webhook) -> None:
    """By another process; and when it goes on, that it is over."""
    known = state.read_state(telling.home)
    assert known
    judging = known.parts["judging"].pid
    os.kill(judging, signal.SIGSTOP)
    try:
        waits = PredictionExpired(symbol="SHOCK", date=DAY, predicted=1.0, sessions_waited=1)
        publish(telling, errors=waits)
        eventually(lambda: bool(_lagging(telling, "AlertRaised")), "the lag", LAG_SECONDS)
        eventually(lambda: any("monitor: " in body for body in hook.bodies), "the news", LAG_SECONDS)
    finally:
        os.kill(judging, signal.SIGCONT)
    eventually(lambda: bool(_lagging(telling, "AlertResolved")), "its end", RESOLVED_SECONDS)
    [raised], [resolved] = (_lagging(telling, kind) for kind in ("AlertRaised", "AlertResolved"))
    assert raised["payload"]["alert_id"] == resolved["payload"]["alert_id"]


def _lagging(settings: Settings, kind: str) -> list[dict[str, Any]]:
    found = alerts(settings, "lagging_seconds", kind)
    return [one for one in found if one["payload"]["labels"] == {"flow": "monitor"}]
