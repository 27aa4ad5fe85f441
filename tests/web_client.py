"""A reader of the API in one process with it: no port, no thread, and the app's own start and end."""

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx
from fastapi import FastAPI


class Reader:
    """Asks an app as HTTP clients do; between two questions nothing of it runs."""

    def __init__(self, app: FastAPI) -> None:
        """Nothing is asked before `with`."""
        self._runner = asyncio.Runner()
        self._life = app.router.lifespan_context(app)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def __enter__(self) -> Self:
        """Start the app."""
        self._runner.run(self._life.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._runner.run(self._life.__aexit__(None, None, None))
        self._runner.run(self._client.aclose())
        self._runner.close()

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET a path."""
        return self._runner.run(self._client.get(path, **options))

    def head(self, path: str, **options: Any) -> httpx.Response:
        """HEAD of a path."""
        return self._runner.run(self._client.head(path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST to a path."""
        return self._runner.run(self._client.post(path, **options))
