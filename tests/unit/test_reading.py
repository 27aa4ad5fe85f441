"""Reading back what was just committed."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from events.payloads import OffsetRange
from infra.errors import StopError, TryAgainError
from infra.kafka import clients, log, reading
from infra.settings import load_settings

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


class Slow:
    """A broker that delivers one record a poll, each of which takes a while; it stops after `most`."""

    def __init__(self, most: int) -> None:
        """Begin at offset 0."""
        self.at, self.most = 0, most

    def assign(self, _: list[TopicPartition]) -> None:
        """Read from these partitions."""

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Read from here."""
        self.at = offset

    def position(self, _: TopicPartition) -> int:
        """Tell the next offset."""
        return self.at

    def poll(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        """Deliver the next record after a while."""
        threading.Event().wait(0.03)
        if self.at >= self.most:
            return {}
        self.at += 1
        return {RAW: [SimpleNamespace(offset=self.at - 1, value=b"x")]}


def test_a_long_history_is_read_as_long_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on silence: one on the whole would fail for ever once a topic has grown long."""
    monkeypatch.setattr(reading, "READ_SECONDS", 0.2)
    span = OffsetRange(topic="raw-data", partition=0, start=0, end=20)
    assert len(reading.read_ranges(Slow(most=20), [span])) == 20  # type: ignore[arg-type]
    with pytest.raises(TryAgainError, match="raw-data"):
        reading.read_ranges(Slow(most=10), [span])  # type: ignore[arg-type]


class Generous(Slow):
    """A broker that delivers all it has at once, also what lies behind the end that was asked for."""

    def poll(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        """Deliver the records at even offsets; markers lie between."""
        first, self.at = self.at, self.most
        offsets = [offset for offset in range(first, self.most) if offset % 2 == 0]
        return {RAW: [SimpleNamespace(offset=offset, value=b"x") for offset in offsets]}


@pytest.mark.parametrize(
    ("end", "expected"), [(3, [0, 2]), (4, [0, 2]), (5, [0, 2, 4]), (10, [0, 2, 4, 6, 8])]
)
def test_what_lies_behind_the_end_is_left_out(end: int, expected: list[int]) -> None:
    """It belongs to the next slice, which would do it a second time."""
    span = OffsetRange(topic="raw-data", partition=0, start=0, end=end)
    records, (filled,) = reading.read_bounded(Generous(most=10), None, [span])  # type: ignore[arg-type]
    assert [record.offset for record in records] == expected
    assert filled == span


class Hung:
    """A client whose every question fails."""

    def end_offsets(self, *_: Any, **__: Any) -> dict[TopicPartition, int]:
        """Give no answer."""
        raise KafkaTimeoutError

    def close(self, **_: Any) -> None:
        """Close."""


def test_an_index_gets_a_new_client_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hung once may hang for ever: kept, it would fail every later look."""
    given = [Hung(), SlowMarkers({TRAINING: 0})]
    monkeypatch.setattr(log.clients, "consumer", lambda *_, **__: given.pop(0))
    index = log.TopicLog(load_settings(), "training")
    with pytest.raises(KafkaTimeoutError):
        index.refresh()
    assert index.refresh() == 0


def test_settings_that_the_client_refuses_are_not_an_outage() -> None:
    """Waiting for a broker would not mend them."""
    with pytest.raises(StopError, match="connections_max_idle_ms"):
        clients.consumer(load_settings(), connections_max_idle_ms=1)
