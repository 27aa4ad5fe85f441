"""When a retraining for sustained errors is asked for, and when it was already."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from events.envelope import Event, Metadata, derive_id
from events.payloads import ModelRetrainingTriggered
from infra.kafka.records import Because, Place, Received
from tasks.monitoring import FLOW, _asked_before

CAUSE = Because("sustained error of v1", "chain", Place("errors", 0, 7))


class Requests:
    """The training topic as the monitor sees it."""

    def __init__(self, *asked: ModelRetrainingTriggered, ids: tuple[str, ...] = ()) -> None:
        """Hold earlier requests, and the ids that are known."""
        self.asked, self.ids = asked, ids

    def refresh(self) -> int:
        """Tell the end."""
        return len(self.asked)

    def has(self, event_id: str) -> bool:
        """Look an id up."""
        return event_id in self.ids

    def between(self, start: int, end: int) -> list[Received[Any]]:
        """Hand out the requests."""
        metadata = Metadata("id", "id", 1, None, "test")
        events = [Event(datetime.now(UTC), "test", asked, metadata) for asked in self.asked[start:end]]
        return [Received(event, Place("training", 0, n), None, b"") for n, event in enumerate(events)]


def _request(day: date) -> ModelRetrainingTriggered:
    return ModelRetrainingTriggered(reason="sustained_error", data_end_date=day)


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        (Requests(), False),
        (Requests(_request(date(2024, 3, 3))), False),
        (Requests(_request(date(2024, 3, 4))), True),
        (Requests(ids=(derive_id(FLOW, CAUSE.id, "sustained_error"),)), True),
    ],
    ids=["never", "on older data", "on data as new", "of this version"],
)
def test_one_complaint_a_version_and_none_while_a_training_is_coming(
    training: Requests, expected: bool
) -> None:
    """A version is complained of once, and not while a training on the same data was asked for."""
    loop: Any = SimpleNamespace(training=training)
    assert _asked_before(loop, CAUSE, _request(date(2024, 3, 4))) is expected
