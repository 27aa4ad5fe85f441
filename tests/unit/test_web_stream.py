"""The stream tells what moved, once, and says so when the database is away."""

import asyncio
import json
from collections.abc import AsyncIterator

from infra.errors import TryAgainError
from web.routes.stream import events
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


def test_a_quiet_stream_stays_open() -> None:
    """A comment now and then keeps whatever lies between from closing it."""

    async def scene() -> bytes:
        version = Version(Tables().read)
        await version.poll()
        stream = events(version, heartbeat=0.01)
        await anext(stream)
        return await anext(stream)

    assert asyncio.run(scene()).startswith(b":")
