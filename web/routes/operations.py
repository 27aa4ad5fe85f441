"""Endpoints about the system itself: flows, dead letters, alerts, lineage."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from infra.database.reads import alerts, letters
from infra.errors import RejectError, TryAgainError
from tasks.core.symbols import canonical
from tasks.lineage import trace
from web import items, paging, shapes
from web import shapes_operations as told
from web.overview import overview
from web.service import EVERY_TOPIC, LINEAGES, Here, Service

router = APIRouter(tags=["operations"])

NEWEST = 2**62
LINEAGE_SECONDS = 10.0
"""How long a lineage waits for its turn."""
FRESH_SECONDS = 1
"""How long what is not on a topic, which is what sensors say of themselves, is told as it was."""


@router.get("/health", response_model=told.Health)
async def health(service: Here) -> dict[str, Any]:
    """Tell up to where the read side is; 503 while the database is away."""
    return {"projected": service.version.by_topic()}


@router.get("/pipeline", response_model=told.Pipeline)
async def show_pipeline(service: Here, request: Request) -> Response:
    """Tell how far each flow is, how the sensors are, and what is open."""
    offsets = service.version.offsets
    now = int(time.time() / FRESH_SECONDS)
    return await service.answer(request, EVERY_TOPIC, lambda: overview(service, offsets), now)


class LetterFilter(BaseModel):
    """Which dead letters."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["open", "resolved", "all"] = "open"
    flow: str | None = Field(None, max_length=200)
    limit: paging.Limit = paging.USUAL
    after: paging.After = None

    @property
    def conditions(self) -> dict[str, Any]:
        """Give the query's conditions."""
        resolved = None if self.state == "all" else self.state == "resolved"
        return {"resolved": resolved, "flow": self.flow, "before": paging.number_of(self.after, NEWEST)}


class AlertFilter(BaseModel):
    """Which alerts."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["open", "acknowledged", "resolved"] | None = None
    rule: str | None = Field(None, max_length=200)
    symbol: str | None = Field(None, max_length=64)
    severity: str | None = Field(None, max_length=64)
    historic: bool = Field(default=False, description="Also those found while history was worked off.")
    limit: paging.Limit = paging.USUAL
    after: paging.After = None

    @property
    def conditions(self) -> dict[str, Any]:
        """Give the query's conditions."""
        wanted = self.model_dump(include={"state", "rule", "symbol", "severity", "historic"})
        return wanted | {"before": paging.number_of(self.after, NEWEST)}


@router.get("/letters", response_model=shapes.Listing[told.Letter])
async def list_letters(service: Here, request: Request, wanted: Annotated[LetterFilter, Query()]) -> Response:
    """List dead letters, newest first."""
    conditions, limit = wanted.conditions, wanted.limit

    def make() -> Any:
        found = letters.listed(service.engine, limit=limit + 1, **conditions)
        lines = [items.letter(row, service.settings.prefect_ui) for row in found[:limit]]
        following = [found[limit - 1]["offset"]] if len(found) > limit else None
        return {"items": lines, "next": paging.told(following)}

    return await service.answer(request, ("dead-letters", "redrives"), make)


@router.get("/letters/{letter_id}", response_model=told.WholeLetter)
async def show_letter(service: Here, request: Request, letter_id: str) -> Response:
    """Tell of one dead letter, with the beginning of its bytes as base64."""
    return await service.answer(
        request,
        ("dead-letters", "redrives"),
        lambda: items.whole_letter(letter_of(service, letter_id), service.settings.prefect_ui),
    )


def letter_of(service: Service, letter_id: str) -> items.Row:
    """Find a dead letter by its id.

    Raises:
        RejectError: there is none.
        TryAgainError: the database is away.
    """
    found = letters.one(service.engine, letter_id)
    if found is None:
        message = "no dead letter has this id (it may not have been projected yet)"
        raise RejectError(message)
    return found


@router.get("/alerts", response_model=shapes.Listing[told.Alert])
async def list_alerts(service: Here, request: Request, wanted: Annotated[AlertFilter, Query()]) -> Response:
    """List alerts by their newest raise, newest first."""
    conditions, limit = wanted.conditions, wanted.limit

    def make() -> Any:
        found = alerts.listed(service.engine, limit=limit + 1, **conditions)
        following = [found[limit - 1]["raised_offset"]] if len(found) > limit else None
        return {"items": [items.alert(row) for row in found[:limit]], "next": paging.told(following)}

    return await service.answer(request, ("alerts",), make)


@router.get("/alerts/{alert_id}", response_model=told.Alert)
async def show_alert(service: Here, request: Request, alert_id: str) -> Response:
    """Tell of one alert."""
    return await service.answer(request, ("alerts",), lambda: items.alert(alert_of(service, alert_id)))


def alert_of(service: Service, alert_id: str) -> items.Row:
    """Find an alert by its id; raises as `letter_of` does."""
    found = alerts.one(service.engine, alert_id)
    if found is None:
        message = "no alert has this id (it may not have been projected yet)"
        raise RejectError(message)
    return found


@router.get("/lineage/{symbol:path}/{day}")
async def show_lineage(service: Here, symbol: str, day: date) -> Response:
    """Tell everything behind what was predicted about a session and from it, as `nepse lineage --json`.

    It reads the topics, a record at a time, and so takes longer than the other answers.
    """
    async with _turn(service):
        found = await asyncio.to_thread(trace, service.settings, canonical(symbol), day)
    return Response(orjson.dumps(found), media_type="application/json", headers={"cache-control": "no-cache"})


@asynccontextmanager
async def _turn(service: Service) -> AsyncIterator[None]:
    """Wait until there is room for another lineage, and take it.

    Raises:
        TryAgainError: there was none in time.
    """
    try:
        async with asyncio.timeout(LINEAGE_SECONDS):
            await service.walking.acquire()
    except TimeoutError as error:
        message = f"{LINEAGES} lineages are being walked: ask again in a moment"
        raise TryAgainError(message) from error
    try:
        yield
    finally:
        service.walking.release()
