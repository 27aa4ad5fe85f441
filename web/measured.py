"""How long the API takes to begin its answers, by route and never by address."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra import metrics

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class Measured:
    """Notes the time up to the beginning of each answer; a stream goes on after it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """Wrap an app whose API is below a prefix."""
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = (_route(scope, self._prefix), _method(scope), str(message["status"]))
                metrics.HTTP_DURATION.labels(*labels).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noted)


def _route(scope: Scope, prefix: str) -> str:
    """Name the route as it is declared: an address may hold anything, and any number of things.

    A router that is included does not know the prefix under which it is.
    """
    declared = str(getattr(scope.get("route"), "path", "none"))
    inside = scope["path"].startswith(f"{prefix}/") and not declared.startswith(prefix)
    return f"{prefix}{declared}" if inside and declared.startswith("/") else declared


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in METHODS else "other"
