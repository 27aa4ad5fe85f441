"""Answers with an ETag: who has one already is not sent it again."""

from fastapi import Request, Response


def headers(tag: str) -> dict[str, str]:
    """Name an answer; browsers ask each time, so that a new version is seen at once."""
    return {"etag": f'"{tag}"', "cache-control": "no-cache"}


def unchanged(request: Request, tag: str) -> Response | None:
    """Answer 304 to who has it, be it weakly named; None to others."""
    if f'"{tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers(tag))
    return None
