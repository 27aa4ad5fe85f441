"""The API as a process, against real servers: it starts, tells what changes, and acknowledges."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import httpx
import pytest
from kafka import TopicPartition

from events.payloads import AlertAcknowledged, OffsetRange
from infra.database import connection, projected
from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka.reading import read_ranges
from infra.settings import PROJECT, Settings
from infra.stack import web
from infra.stack.health import trouble
from tasks.projections import READ_SIDE
from tests.copies import eventually
from tests.desk import events_in
from web.app import API
from web.commands import Acknowledgements

pytestmark = pytest.mark.stack

START_SECONDS = 90.0
NEWS_SECONDS = 5.0


@pytest.fixture(scope="module")
def running(servers: Settings) -> Iterator[str]:
    """The process beside the servers; at the end it has to go when asked, with a stream open or not."""
    environment = {**os.environ, "NEPSE_HOME": str(servers.home)}
    process = subprocess.Popen([sys.executable, "-m", "web"], cwd=PROJECT, env=environment)
    try:
        eventually(lambda: _is_up(servers), "the API starts", START_SECONDS)
        yield f"{servers.web_ui}{API}"
    finally:
        process.terminate()
        code = process.wait(15)
    assert code in {0, -15}


def _is_up(settings: Settings) -> bool:
    try:
        web.ready(settings)
    except TryAgainError:
        return False
    return True


def test_it_answers_on_its_port_and_says_that_it_is_well(running: str, servers: Settings) -> None:
    """The part's own probe finds it, and a second answer is not sent again."""
    assert trouble(servers, "web") in {None, "there is no part web"}
    first = httpx.get(f"{running}/predictions")
    assert first.status_code == 200
    again = httpx.get(f"{running}/predictions", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert "server" not in first.headers


def test_what_is_projected_is_told_to_who_listens(running: str, servers: Settings) -> None:
    """Within a moment, on the connection that is open."""
    topic = f"topic-{uuid.uuid4().hex}"
    with httpx.stream("GET", f"{running}/stream", timeout=NEWS_SECONDS) as stream:
        told = _data(stream)
        next(told)
        engine = connection.engine(servers)
        projected.store(engine, READ_SIDE, {}, {}, {(topic, 0): 4})
        assert next(one for one in told if topic in one.get("topics", {}))["topics"] == {topic: 4}


def _data(stream: httpx.Response) -> Iterator[dict[str, dict[str, int]]]:
    """Yield the data of a stream's events."""
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_an_acknowledgement_is_on_its_topic_under_one_id(servers: Settings) -> None:
    """Said twice of one raise it is one event."""
    known = Acknowledgements(servers)
    alert_id = uuid.uuid4().hex
    payload = AlertAcknowledged(rule="absolute_error", alert_id=alert_id, by="ram")
    ids = [known.publish(payload, raised, "chain") for raised in (4, 4, 9)]
    known.close()
    assert ids[0] == ids[1] != ids[2]
    assert _acknowledged(servers, alert_id) == ids


def _acknowledged(settings: Settings, alert_id: str) -> list[str]:
    reader = clients.consumer(settings)
    spot = TopicPartition("alerts", 0)
    end = int(reader.end_offsets([spot])[spot])
    records = read_ranges(reader, [OffsetRange(topic="alerts", partition=0, start=0, end=end)])
    reader.close(autocommit=False)
    return [one.id for one in events_in(records) if getattr(one.payload, "alert_id", None) == alert_id]
