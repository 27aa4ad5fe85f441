"""Reading back what was just committed."""

from typing import Any

import pytest
from kafka import TopicPartition

from infra.errors import TryAgainError
from infra.kafka import reading

RAW, TRAINING = TopicPartition("raw-data", 0), TopicPartition("training", 0)


class SlowMarkers:
    """A broker whose commit markers appear after some questions: `ends`, the last for good."""

    def __init__(self, *ends: dict[TopicPartition, int]) -> None:
        """Remember the answers, and what was asked."""
        self.ends = list(ends)
        self.asked: list[list[TopicPartition]] = []

    def end_offsets(self, spots: list[TopicPartition], **_: Any) -> dict[TopicPartition, int]:
        """Answer like a consumer."""
        self.asked.append(spots)
        answer = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        return {spot: answer[spot] for spot in spots}


def test_what_was_committed_is_awaited() -> None:
    """It asks on, for what is still missing only, until every offset lies below the stable end."""
    broker = SlowMarkers({RAW: 7, TRAINING: 3}, {RAW: 9, TRAINING: 3}, {TRAINING: 3}, {TRAINING: 5})
    reading.await_visible(broker, {RAW: 7, TRAINING: 3})  # type: ignore[arg-type]
    assert broker.asked == [[RAW, TRAINING], [RAW, TRAINING], [TRAINING], [TRAINING]]


def test_nothing_written_asks_nothing() -> None:
    """A transaction without topics that are looked up costs no request."""
    broker = SlowMarkers({})
    reading.await_visible(broker, {})  # type: ignore[arg-type]
    assert broker.asked == []


def test_the_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker that never comes is told, with the partition."""
    monkeypatch.setattr(reading, "READ_SECONDS", 0.05)
    with pytest.raises(TryAgainError, match="raw-data"):
        reading.await_visible(SlowMarkers({RAW: 7}), {RAW: 7})  # type: ignore[arg-type]
