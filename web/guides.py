"""The how-to guides of this checkout as plain text: what an alert names as its runbook lies at hand."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import PlainTextResponse

from infra.settings import PROJECT

FOLDER = "docs/how-to"
MEDIA = "text/plain; charset=utf-8"


def create_guides() -> APIRouter:
    """Make the route of all guides, which are read once, now; an installation without docs has none."""
    guides = {file.name: file.read_text("utf-8") for file in sorted((PROJECT / FOLDER).glob("*.md"))}
    router = APIRouter(include_in_schema=False)

    @router.get(f"/{FOLDER}/{{name}}")
    async def guide(name: str) -> PlainTextResponse:
        """Give a guide as it is written."""
        if name not in guides:
            raise HTTPException(404)
        return PlainTextResponse(guides[name], media_type=MEDIA)

    return router
