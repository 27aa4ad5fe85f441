"""Where a group begins: at 0 with a topic or a flow that is new, nowhere with one that was known."""

import pytest
from kafka import TopicPartition

from events.payloads import OffsetRange
from infra.kafka import topics
from infra.wiring import Route
from tests.copies import SPOTS, pour, stand_at_the_end
from tests.desk import Desk

pytestmark = pytest.mark.stack

ERRORS = [TopicPartition("errors", number) for number in range(3)]


def begun(desk: Desk, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[int | None]:
    """Prepare a flow that reads these topics, which are there; tells its progress on `errors`."""
    monkeypatch.setattr(topics, "routes", lambda: [Route("sensor-test", desk.flow, names)])
    assert topics.ensure(desk.settings) == []
    desk.admin_group.assign([*SPOTS, *ERRORS])
    return [desk.admin_group.committed(spot) for spot in ERRORS]


def test_a_new_flow_begins_at_0(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes what was there before it."""
    assert begun(desk, monkeypatch, "errors") == [0, 0, 0]


def test_a_known_flow_is_given_no_offset(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger has a slice of it: progress that is missing then was lost, and 0 would do all again."""
    stand_at_the_end(desk)
    pour(desk, 1)
    desk.work(OffsetRange(topic="features", partition=0, start=desk.at or 0, end=desk.end()))
    assert begun(desk, monkeypatch, "features", "errors") == [None, None, None]
