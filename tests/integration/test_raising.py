"""Alerts that somebody asks for, on a real broker."""

from events.payloads import AlertRaised, OffsetRange
from infra.bootstrap import Loop
from infra.kafka import clients
from infra.kafka.reading import read_ranges
from infra.settings import Settings
from tasks.raising import PRODUCER, raise_once
from tests.desk import Desk, events_in


def test_a_run_raises_once_however_often_it_is_started(servers: Settings, desk: Desk) -> None:
    """Started again from Prefect's page it finds its own alert; another run raises the same alert again."""
    loop, before = Loop(servers), desk.end("alerts")
    alert = AlertRaised(
        rule="maintenance", severity="info", message="the broker moves", labels={"part": "kafka"}
    )
    told = [raise_once(loop, alert, run) for run in ("run-1", "run-1", "run-2")]
    loop.close()
    assert [one.startswith("maintenance raised") for one in told] == [True, False, True]
    reader = clients.consumer(servers)
    span = OffsetRange(topic="alerts", partition=0, start=before, end=desk.end("alerts"))
    found = [event for event in events_in(read_ranges(reader, [span])) if event.producer == PRODUCER]
    reader.close(autocommit=False)
    first, second = (event.payload for event in found)
    assert first.labels == second.labels  # but for a test that runs over midnight
    assert first.labels.keys() == {"part", "day"}
    assert first.labels["part"] == "kafka"
    assert first.alert_id
    assert first.alert_id == second.alert_id
