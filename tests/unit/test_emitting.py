"""Publishing what a person gives, where the broker does not answer."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.emitting import emit
from infra.settings import load_settings


def _late(*_: Any, **__: Any) -> Any:
    raise KafkaTimeoutError


def test_a_flush_that_takes_too_long_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of which record and how many lie before it, and the producer is ended."""
    ended: list[str] = []
    producer = SimpleNamespace(
        send=lambda *_: SimpleNamespace(get=_late),
        flush=_late,
        close=_late,
        _sender=SimpleNamespace(force_close=lambda: ended.append("forced"), join=lambda _: None),
    )
    monkeypatch.setattr(clients, "plain_producer", lambda _: producer)
    with pytest.raises(TryAgainError, match=r"record 1 was not published .*the 0 before it were"):
        emit(load_settings(), "alerts", None, [b"{}"])
    assert ended == ["forced"]
