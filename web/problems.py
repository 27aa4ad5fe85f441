"""Failures as readers of the API see them: problem documents (RFC 9457) that say what to do."""

import logging
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from infra.errors import RejectError, TryAgainError

RETRY_SECONDS = 2
_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong, by RFC 9457."""

    title: str
    status: int
    detail: str


class ConflictError(Exception):
    """What is asked for can't be done as things stand; the message says why."""


class RefusedError(Exception):
    """Who asks may not: no token (401), or a wrong one, or none is set here (403)."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        """Keep the status beside the sentence."""
        super().__init__(message)
        self.status = status


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Make a problem document."""
    body = orjson.dumps(Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump())
    return Response(body, status, headers, media_type="application/problem+json")


def register(app: FastAPI) -> None:
    """Let every failure of an app's endpoints become a problem document, but for faults: see `fault`."""
    app.add_exception_handler(TryAgainError, _away)
    app.add_exception_handler(RejectError, _unknown)
    app.add_exception_handler(ConflictError, _conflict)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _away(_: Request, error: Exception) -> Response:
    return problem(503, str(error), {"retry-after": str(RETRY_SECONDS)})


def _unknown(_: Request, error: Exception) -> Response:
    return problem(404, str(error))


def _conflict(_: Request, error: Exception) -> Response:
    return problem(409, str(error))


def _refused(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else HTTPStatus.FORBIDDEN
    return problem(status, str(error), {"www-authenticate": "Bearer"} if status == 401 else None)  # noqa: PLR2004


def _invalid(_: Request, error: Exception) -> Response:
    """Name each parameter and what is wrong with it, without repeating a hostile value."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    told = (f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)
    return problem(422, "; ".join(told)[:2_000])


def _http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    return problem(status, detail)


def fault(request: Request, error: Exception) -> Response:
    """Tell the log what it was, and the reader only that it was ours."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "a fault of the server: its log says more")
