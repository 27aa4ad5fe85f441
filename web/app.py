"""The HTTP API of the read side and the page on it: read-only, but for a few commands that need a token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from sqlalchemy import Engine
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.settings import Settings
from web import problems
from web.guides import create_guides
from web.measured import Measured
from web.routes import commands, market, models, operations, stream
from web.service import Service
from web.site import create_site
from web.version import CODE

API = "/api/v1"
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""What every answer carries: a browser runs only what comes from here, and shows it in nobody's frame."""


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Make the app; the database is first asked when it starts, and its absence is no failure of ours.

    Args:
        settings: where the servers are, and the token of the commands.
        engine: the database in tests; the settings' without it.
    """
    app = FastAPI(
        title="nepse-loop",
        version=CODE,
        description="Predictions, closes, errors and the system's own state, from the read side.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its pages come from elsewhere, and what we serve works offline
        redoc_url=None,
        lifespan=_following,
        responses={code: {"model": problems.Problem} for code in (404, 422, 503)},
    )
    app.state.service = Service(settings, engine)
    problems.register(app)
    for one in (market, models, operations, stream, commands):
        app.include_router(one.router, prefix=API)
    app.include_router(create_guides())
    app.include_router(create_site())  # last: it also answers whatever is nobody's
    app.add_middleware(Guarded)
    app.add_middleware(Measured, prefix=API)
    return app


@asynccontextmanager
async def _following(app: FastAPI) -> AsyncIterator[None]:
    """Follow the read side for as long as the app runs; its first answer comes before the first request."""
    service: Service = app.state.service
    await service.version.poll()
    following = asyncio.create_task(service.version.follow())
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await service.version.settle()
        service.acknowledgements.close()


class Guarded:
    """Adds HEADERS to every answer, also to streams and to what answers a fault of ours.

    Starlette answers faults outside of all middleware, where an answer has no headers and is not measured.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a fault in the middle of an answer goes on to the server, which cuts it off."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception as error:
            if started:
                raise
            await problems.fault(Request(scope), error)(scope, receive, guarded)
