"""Endpoints about symbols and sessions: predictions, closes, errors."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Engine, Table

from infra.database import latest, tables
from infra.database.connection import reading
from infra.database.reads import market, newest
from infra.database.reads.newest import Cut
from infra.errors import RejectError
from tasks.core.calendar import AHEAD, exchange_day
from tasks.core.lineage import unknown_symbol
from tasks.core.symbols import canonical
from web import items, paging, shapes
from web.service import Here

router = APIRouter(tags=["market"])

Told = Callable[[items.Row], items.Item]


class Filter(BaseModel):
    """Which rows: of one symbol, newest session first, or about one session, by symbol."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    symbol: str | None = Field(None, max_length=64)
    session: date | None = Field(
        None, alias="date", description="Without it the newest, or all of a symbol's."
    )
    since: date = Field(date.min, alias="from", description="First session of a symbol's list.")
    until: date = Field(date.max, alias="to", description="Last session of a symbol's list.")
    limit: paging.Limit = paging.USUAL
    after: paging.After = None

    @property
    def span(self) -> tuple[date, date]:
        """First and last session of a symbol's list."""
        return (self.session, self.session) if self.session else (self.since, self.until)

    @property
    def cut(self) -> Cut:
        """Where the page begins: a symbol's at a session, a session's at a symbol; raises as `_key` does."""
        key = self._key
        if key is None:
            return Cut(None, self.limit)
        return Cut((_day(key[0]) if self.symbol else str(key[0]), _day(key[1])), self.limit)

    @property
    def day(self) -> date | None:
        """The session that is asked about, or that the page before was about, or None; raises as `_key` does.

        A newer one that begins meanwhile does not continue the list of an older one.
        """
        key = self._key
        return self.session or (None if self.symbol or key is None else _day(key[2]))

    @property
    def _key(self) -> list[Any] | None:
        """What `next` told: of a symbol session and session before, else symbol, session before and session.

        Raises:
            RequestValidationError: the key is none of such a list.
        """
        return paging.key_of(self.after, 2 if self.symbol else 3)


Wanted = Annotated[Filter, Query()]


@router.get("/symbols", response_model=shapes.Listing[shapes.SymbolLine])
async def list_symbols(
    service: Here, request: Request, limit: paging.Limit = paging.MOST, after: paging.After = None
) -> Response:
    """List every symbol that has a feature vector, by name."""
    key = paging.key_of(after, 1)
    beginning = str(key[0]) if key else ""

    def make() -> Any:
        found = market.symbols(service.engine, beginning, limit + 1)
        following = [found[limit - 1]["symbol"]] if len(found) > limit else None
        lines = [{name: row[name] for name in shapes.SymbolLine.model_fields} for row in found[:limit]]
        return {"items": lines, "next": paging.told(following)}

    return await service.answer(request, ("features",), make)


@router.get("/sessions", response_model=shapes.Listing[date])
async def list_sessions(
    service: Here, request: Request, limit: paging.Limit = paging.USUAL, after: paging.After = None
) -> Response:
    """List the sessions that something was predicted about, newest first."""
    key = paging.key_of(after, 1)
    before = _day(key[0]) if key else date.max

    def make() -> Any:
        found = market.sessions(service.engine, before, limit + 1)
        following = [found[limit - 1]] if len(found) > limit else None
        return {"items": found[:limit], "next": paging.told(following)}

    return await service.answer(request, ("predictions",), make)


@router.get("/symbols/{symbol:path}", response_model=shapes.SymbolPage)
async def show_symbol(service: Here, request: Request, symbol: str) -> Response:
    """Tell what is known of a symbol now: its features, and its newest prediction, close and error."""
    topics = ("features", "predictions", "actuals", "errors")
    return await service.answer(request, topics, lambda: _symbol(service.engine, canonical(symbol)))


@router.get("/predictions", response_model=shapes.OfSession[shapes.Prediction])
async def list_predictions(service: Here, request: Request, wanted: Wanted) -> Response:
    """List the predictions that hold, of one symbol or about one session."""
    make = _listing(service.engine, tables.predictions, items.prediction, wanted)
    return await service.answer(request, ("predictions",), make)


@router.get("/actuals", response_model=shapes.OfSession[shapes.Actual])
async def list_actuals(service: Here, request: Request, wanted: Wanted) -> Response:
    """List the closes that hold, of one symbol or of one session."""
    make = _listing(service.engine, tables.actuals, items.actual, wanted)
    return await service.answer(request, ("actuals",), make)


@router.get("/errors", response_model=shapes.OfSession[shapes.ErrorLine])
async def list_errors(service: Here, request: Request, wanted: Wanted) -> Response:
    """List the errors that hold, of one symbol or about one session."""
    make = _listing(service.engine, tables.errors, items.error, wanted)
    return await service.answer(request, ("errors",), make)


def _listing(engine: Engine, table: Table, told: Told, wanted: Filter) -> Callable[[], Any]:
    """Prepare a page; what is wrong with the request is told now. Raises as `Filter.cut` does."""
    cut, asked, symbol = wanted.cut, wanted.day, wanted.symbol and canonical(wanted.symbol)

    def make() -> Any:
        if symbol:
            return _page(newest.of_symbol(engine, table, symbol, wanted.span, cut), told, None)
        day = asked or newest.newest_session(engine, table, exchange_day(datetime.now(UTC)) + AHEAD)
        if day is None:
            return {"session": None, "items": [], "next": None}
        return _page(newest.of_session(engine, table, day, cut), told, day)

    return make


def _page(page: newest.Page, told: Told, session: date | None) -> dict[str, Any]:
    following = page.next and (*page.next, *([session] if session else []))
    return {"session": session, "items": [told(row) for row in page.rows], "next": paging.told(following)}


def _day(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise paging.no_key() from error


def _symbol(engine: Engine, symbol: str) -> Any:
    """Gather what is known of a symbol, in one transaction.

    Raises:
        TryAgainError: the database is away, or nothing was ever projected into it.
        RejectError: nobody knows it; the message names symbols that look alike.
    """
    with reading(engine) as connection:
        vector = latest.newest(connection, symbol)
        found = {
            "vector": vector and {name: vector[name] for name in shapes.Vector.model_fields},
            "prediction": _newest(connection, tables.predictions, symbol, items.prediction),
            "actual": _newest(connection, tables.actuals, symbol, items.actual),
            "error": _newest(connection, tables.errors, symbol, items.error),
        }
    if not any(found.values()):
        raise RejectError(unknown_symbol(symbol, latest.symbols(engine)))
    return {"symbol": symbol, **found}


def _newest(connection: Connection, table: Table, symbol: str, told: Told) -> items.Item | None:
    page = newest.of_symbol(connection, table, symbol, (date.min, date.max), Cut(None, 1))
    return told(page.rows[0]) if page.rows else None
