"""Bodies that are made once for all readers of a version, and not sent to who has them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson
from fastapi import Request, Response

from web import etags
from web.version import Version

KEPT = 400
"""Answers that are kept, of different addresses; each is of the newest version that was asked for."""
KEPT_BYTES = 512 * 1024
"""A longer body is made anew each time."""
MOST_BYTES = 32 * 1024 * 1024
"""All that is kept together: those that nobody asked for the longest go first."""


class Answer(NamedTuple):
    """A body and the version that it is of."""

    tag: str
    body: bytes


class Answers:
    """Answers by address; of several requests for one that is missing, one makes it for all."""

    def __init__(self, version: Version) -> None:
        """Nothing is kept yet."""
        self._version = version
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._making: dict[tuple[str, str], asyncio.Task[bytes]] = {}

    async def give(
        self, request: Request, topics: Iterable[str], make: Callable[[], Any], *more: object
    ) -> Response:
        """Answer a GET: 304 to who has this version, otherwise the body, kept or made in a thread.

        Args:
            request: its address names the answer.
            topics: what the answer depends on.
            make: returns JSON types, dates and datetimes; it may block.
            more: what the answer depends on besides.

        Raises:
            TryAgainError: the database is away.
            Exception: what `make` raises.
        """
        tag = self._version.tag(topics, *more)
        if (answer := etags.unchanged(request, tag)) is not None:
            return answer
        body = await self._body(f"{request.url.path}?{request.url.query}", tag, make)
        return Response(body, media_type="application/json", headers=etags.headers(tag))

    async def _body(self, address: str, tag: str, make: Callable[[], Any]) -> bytes:
        kept = self._kept.get(address)
        if kept is not None and kept.tag == tag:
            self._kept.move_to_end(address)
            return kept.body
        key = (address, tag)
        if key not in self._making:
            task = asyncio.create_task(asyncio.to_thread(lambda: orjson.dumps(make())))
            task.add_done_callback(lambda _: self._making.pop(key, None))
            self._making[key] = task
        body = await asyncio.shield(self._making[key])  # one reader that goes away takes it from no other
        self._keep(address, Answer(tag, body))
        return body

    def _keep(self, address: str, answer: Answer) -> None:
        self._forget(address)
        if len(answer.body) <= KEPT_BYTES:
            self._kept[address] = answer
            self._bytes += len(answer.body)
        while len(self._kept) > KEPT or self._bytes > MOST_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, address: str) -> None:
        before = self._kept.pop(address, None)
        self._bytes -= 0 if before is None else len(before.body)
