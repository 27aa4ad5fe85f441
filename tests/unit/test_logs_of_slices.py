"""Lines about a slice name its run, its offsets and its chain of events."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from events.envelope import Event, Metadata, encode
from events.payloads import OffsetRange, PredictionExpired
from infra.kafka.records import Run
from infra.kafka.work import Work
from infra.logs import configure
from infra.settings import load_settings
from infra.wiring import Route
from sensors import settle
from sensors.diary import Diary
from sensors.dispatch import Result
from sensors.failures import Outcome
from sensors.plan import Patience
from tasks import work
from tasks.work import Account
from tests.logged import lines, restored

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)
EXPIRED = PredictionExpired(symbol="NABIL", date=date(2024, 3, 4), predicted=1.0, sessions_waited=1)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    with restored():
        yield


def test_a_flow_speaks_of_its_slice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the opening of the slice to its commit: the run, the offsets, the chain of its first event."""
    settings = load_settings(tmp_path)
    configure(settings, "judging")
    ranges = [OffsetRange(topic="errors", partition=0, start=4, end=5)]
    event = Event(NOON, "test", EXPIRED, Metadata("e1", "chain-1"))
    record = SimpleNamespace(
        topic="errors", partition=0, offset=4, timestamp=0, key=b"NABIL", value=encode(event), headers=()
    )

    class Slice(Work):
        """A slice without a broker."""

        done, delay = False, None

        def commit(self, **_: Any) -> None:
            """Say so."""
            logging.getLogger("infra.kafka.slices").info("committed")

    @contextmanager
    def opened(_: Any, run: Run, spans: list[OffsetRange]) -> Iterator[Work]:
        logging.getLogger("infra.kafka.slices").info("opened")
        yield Slice(settings, run, spans, lambda asked: ([record], asked))

    monkeypatch.setattr(work, "open_slice", opened)
    monkeypatch.setattr("infra.kafka.work.partition_of", lambda *_: 0)
    seen = SimpleNamespace(looked_up=[])
    loop: Any = SimpleNamespace(settings=settings, pool=None, as_of=lambda: seen)
    work._one(loop, Run("monitor", "run-1"), ranges, lambda _, given: Account(str(len(given.read()))))
    first, last = lines(capsys)
    assert (first["run_id"], first["slice"]) == ("run-1", "errors-0 [4, 5)")
    assert "correlation_id" not in first
    assert (last["run_id"], last["correlation_id"]) == ("run-1", "chain-1")


def test_a_sensor_says_of_which_run_it_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When a run has failed: its id and its slice, in each line about it."""
    settings = load_settings(tmp_path, instance="one")
    configure(settings, "judging")
    log = logging.getLogger("sensors.settle")
    spot = TopicPartition("errors", 0)
    unit = settle.Work((spot,), Patience(100, 100), taken_up=True)
    unit.ranges = [OffsetRange(topic="errors", partition=0, start=4, end=5)]
    with Diary(settings, "sensor-monitor", log) as diary:
        route = Route("sensor-monitor", "monitor", ("errors",))
        failed = Result(Outcome.AGAIN, "the broker is away", run_id="run-1")
        settle.Settling(settings, route, log, diary).settle(unit, failed)
    [line] = lines(capsys)
    assert (line["run_id"], line["slice"]) == ("run-1", "errors-0 [4, 5)")
    assert "the broker is away" in line["message"]
