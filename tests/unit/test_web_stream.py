"""The stream tells what moved, once, and says so when the database is away."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from infra.errors import TryAgainError
from infra.settings import load_settings
from web.app import API, create_app
from web.routes.stream import MOST_READERS, events
from web.version import Version

Offsets = dict[tuple[str, int], int]


class Tables:
    """A read side that stands where a test puts it; None is away."""

    def __init__(self) -> None:
        """Stand at the beginning."""
        self.offsets: Offsets | None = {("errors", 0): 5, ("errors", 1): 2, ("alerts", 0): 3}

    def read(self) -> Offsets:
        """Tell where it stands."""
        if self.offsets is None:
            message = "away"
            raise TryAgainError(message)
        return dict(self.offsets)


def told(event: bytes) -> tuple[str, object]:
    """An event's name and data."""
    lines = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return lines["event"], json.loads(lines["data"])


def test_a_reader_is_told_where_things_are_and_then_what_moved() -> None:
    """Changes between two looks are told together; an outage and its end are told as well."""

    async def scene() -> list[tuple[str, object]]:
        tables = Tables()
        version = Version(tables.read)
        stream: AsyncIterator[bytes] = events(version, heartbeat=5.0)
        await version.poll()
        heard = [told(await anext(stream))]
        for errors in (6, 9):
            tables.offsets = {("errors", 0): errors, ("errors", 1): 2, ("alerts", 0): 3}
            await version.poll()
        heard.append(told(await anext(stream)))
        back, tables.offsets = tables.offsets, None
        await version.poll()
        heard.append(told(await anext(stream)))
        tables.offsets = back
        await version.poll()
        return [*heard, told(await anext(stream))]

    assert asyncio.run(scene()) == [
        ("changed", {"topics": {"errors": 7, "alerts": 3}}),
        ("changed", {"topics": {"errors": 11}}),
        ("away", {}),
        ("changed", {"topics": {"errors": 11, "alerts": 3}}),
    ]


def test_a_slow_reader_is_told_of_tables_that_were_made_anew() -> None:
    """Also when they are full again, up to where they were, before it looks."""

    async def scene() -> list[tuple[str, object]]:
        tables = Tables()
        version = Version(tables.read)
        await version.poll()
        stream = events(version, heartbeat=5.0)
        heard = [told(await anext(stream))]
        full, tables.offsets = tables.offsets, {}
        await version.poll()
        tables.offsets = full
        await version.poll()
        return [*heard, told(await anext(stream))]

    everything = ("changed", {"topics": {"errors": 7, "alerts": 3}})
    assert asyncio.run(scene()) == [everything, everything]


def test_a_quiet_stream_stays_open() -> None:
    """A beat now and then keeps whatever lies between from closing it, and tells pages that it lives."""

    async def scene() -> tuple[str, object]:
        version = Version(Tables().read)
        await version.poll()
        stream = events(version, heartbeat=0.01)
        await anext(stream)
        return told(await anext(stream))

    assert asyncio.run(scene()) == ("beat", {})


Message = MutableMapping[str, Any]


async def _listened(app: Any, parts: int) -> list[Message]:
    """Listen to the app's stream until so many parts came, then go away."""
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": f"{API}/stream", "query_string": b"", "headers": []}
    known = {"asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http"}
    listening = asyncio.create_task(app({**scope, **known, "server": ("test", 80)}, receive, sent.put))
    heard = [await asyncio.wait_for(sent.get(), 10) for _ in range(parts)]
    gone.set()
    await asyncio.wait_for(listening, 10)
    return heard


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The app on tables of this test."""
    tables = Tables()
    monkeypatch.setattr("web.service.positions", lambda *_: tables.read())
    nowhere: Any = object()
    return create_app(load_settings(tmp_path), nowhere)


def test_the_endpoint_streams_and_forgets_who_went_away(app: Any) -> None:
    """The first event comes at once, under the type by which browsers know a stream."""

    async def scene() -> list[Message]:
        await app.state.service.version.poll()
        return await _listened(app, 2)

    start, first = asyncio.run(scene())
    assert start["status"] == 200
    assert dict(start["headers"])[b"content-type"].startswith(b"text/event-stream")
    assert told(first["body"]) == ("changed", {"topics": {"errors": 7, "alerts": 3}})
    assert app.state.service.readers == 0


def test_too_many_readers_are_sent_away(app: Any) -> None:
    """With a sentence, and to come back later."""
    app.state.service.readers = MOST_READERS
    start = asyncio.run(_listened(app, 2))[0]
    assert start["status"] == 503
