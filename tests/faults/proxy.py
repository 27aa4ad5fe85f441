"""A TCP relay in front of a server, which can cut, hold and slow what passes."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

HOST = "127.0.0.1"
CHUNK = 16 * 1024
LOOK_SECONDS = 0.02
START_SECONDS = 10
RESET = struct.pack("ii", 1, 0)
"""A close that lingers for 0 s: the other side gets a reset."""


@dataclass(frozen=True)
class Line:
    """What the connection is like; as it is made, nothing is wrong with it."""

    cut: bool = False
    """Every connection is reset, and every new one at once."""
    silent: bool = False
    """Connections stay and nothing passes; it passes later."""
    latency: float = 0.0
    """Seconds that each piece of data takes in each direction."""
    rate: float = float("inf")
    """Bytes a second, of each connection and direction."""


class Proxy:
    """Relays in a thread of its own; `port` is known at once, `target` may be set later."""

    def __init__(self) -> None:
        """Listen, and relay nothing before the block begins."""
        self.listener = socket.create_server((HOST, 0))
        self.port = int(self.listener.getsockname()[1])
        self.target = 0
        self.line = Line()
        self._ready = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)

    def __enter__(self) -> Self:
        """Relay."""
        self._thread.start()
        assert self._ready.wait(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything and end the thread."""
        self._ended = True
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive()

    @contextmanager
    def hurt(self, line: Line) -> Iterator[None]:
        """Make the connection worse while the block lasts."""
        self.line = line
        try:
            yield
        finally:
            self.line = Line()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._relay, sock=self.listener)
        self._ready.set()
        await _until(lambda: self._ended)
        server.close()
        relays = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            if not self.line.cut:
                far_reader, far = await asyncio.open_connection(HOST, self.target)
                ends.append(far)
                await self._both(self._pump(reader, far), self._pump(far_reader, writer), self._until_cut())
        except OSError:
            return  # the server is away: the client is told by the reset below
        finally:
            for end in ends:
                _reset(end)

    async def _both(self, *ways: "asyncio._CoroutineLike[None]") -> None:
        """Relay until either side has closed or the connection is cut."""
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_cut(self) -> None:
        await _until(lambda: self.line.cut)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            await _until(lambda: not self.line.silent)
            if delay := self.line.latency + len(chunk) / self.line.rate:
                await asyncio.sleep(delay)
            writer.write(chunk)
            await writer.drain()


async def _until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110  (another thread decides, and an Event belongs to its loop's)
        await asyncio.sleep(LOOK_SECONDS)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # it has gone already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
