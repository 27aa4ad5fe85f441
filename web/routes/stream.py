"""Live updates as server-sent events: which topics have news, so that a page asks for what it shows."""

from collections.abc import AsyncIterator

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from infra.errors import TryAgainError
from web.service import Here, Service
from web.version import Version, happened

router = APIRouter(tags=["stream"])

MOST_READERS = 200
HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2_000
BEAT = format_sse_event(data_str="{}", event="beat")
"""Says that the stream lives: browsers hide comments from pages, and an end that nobody tells them of."""


MEDIA = "text/event-stream"


@router.get("/stream", response_class=StreamingResponse, responses={200: {"content": {MEDIA: {}}}})
async def stream(service: Here) -> StreamingResponse:
    """Tell at once where the read side is, and then after each change what moved.

    Each event is called `changed`; its data are the offsets of the topics that moved, `{"topics": {...}}`.
    What happens while a reader is slow is told together, so nothing piles up. `away` tells that the database
    does not answer, and `beat` every 15 s that the stream lives.
    """
    if service.readers >= MOST_READERS:
        message = f"{MOST_READERS} readers are listening already: ask for the pages now and then instead"
        raise TryAgainError(message)
    return StreamingResponse(_told(service), media_type=MEDIA, headers={"cache-control": "no-store"})


async def _told(service: Service) -> AsyncIterator[bytes]:
    service.readers += 1
    try:
        async for event in events(service.version):
            yield event
    finally:
        service.readers -= 1


async def events(version: Version, heartbeat: float = HEARTBEAT_SECONDS) -> AsyncIterator[bytes]:
    """Yield a stream's bytes for as long as somebody listens."""
    known: dict[str, int] | None = None
    told: int | None = None  # the epoch of what was told; None: nothing was yet
    while True:
        news = version.news  # before the look: what changes while the reader is served is not missed
        now, epoch = _now(version), version.epoch
        if (now, epoch) != (known, told):
            yield _event((known or {}) if epoch == told else {}, now)
        known, told = now, epoch
        if not await happened(news, heartbeat):
            yield BEAT


def _now(version: Version) -> dict[str, int] | None:
    """Sum the offsets by topic; None while the database is away."""
    try:
        return version.by_topic()
    except TryAgainError:
        return None


def _event(known: dict[str, int], now: dict[str, int] | None) -> bytes:
    moved = {topic: at for topic, at in (now or {}).items() if known.get(topic) != at}
    name, data = ("away", {}) if now is None else ("changed", {"topics": moved})
    return format_sse_event(data_str=orjson.dumps(data).decode(), event=name, retry=RETRY_MS)
