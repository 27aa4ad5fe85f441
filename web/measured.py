"""How long the API takes to begin its answers, by route and never by address."""

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra import metrics

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class Measured:
    """Notes the time up to the beginning of each answer; a stream goes on after it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = (_route(scope), _method(scope), str(message["status"]))
                metrics.HTTP_DURATION.labels(*labels).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noted)


def _route(scope: Scope) -> str:
    """Name the route as it is declared: an address may hold anything, and any number of things."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "none"))


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in METHODS else "other"
