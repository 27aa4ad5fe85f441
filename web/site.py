"""The web page: files of this package, served as they are, at addresses that people can share."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

from web import etags

MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
READ = ["GET", "HEAD"]
HTML = "text/html; charset=utf-8"


class Page(NamedTuple):
    """A page: its files' name, what people call it, where the navigation leads, its other addresses."""

    name: str
    title: str
    address: str
    more: tuple[str, ...] = ()


PAGES = (
    Page("market", "Market", "/"),
    Page("symbol", "Symbol", "/symbol", ("/symbol/{symbol:path}",)),
    Page("model", "Model", "/model", ("/model/{version}",)),
    Page("pipeline", "Pipeline", "/pipeline"),
    Page("letters", "Dead letters", "/letters", ("/letters/{letter_id}",)),
    Page("alerts", "Alerts", "/alerts", ("/alerts/{alert_id}",)),
)
LOST = Page("lost", "Not found", "")


class Kept(NamedTuple):
    """A file in memory, with the ETag that names its bytes."""

    body: bytes
    media: str
    tag: str


def create_site() -> APIRouter:
    """Make the routes of all pages and of what they are made of; all of it is read once, now."""
    here, router = files("web"), APIRouter(include_in_schema=False)
    for page in PAGES:
        kept = _kept(_html(here, page), HTML)
        for address in (page.address, *page.more):
            router.api_route(address, methods=READ)(_served(kept))
    parts = {name: _kept(part.read_bytes(), _media(name)) for name, part in _walk(here / "static", "")}

    @router.api_route("/static/{name:path}", methods=READ)
    async def static(request: Request, name: str) -> Response:
        """Give a script, a style sheet or a picture."""
        if name not in parts:
            raise HTTPException(404)
        return _answer(request, parts[name])

    lost = _html(here, LOST)

    @router.api_route("/{address:path}", methods=READ)
    async def nothing(request: Request, address: str) -> Response:
        """Tell people that there is no such page, and programs as the API does."""
        if address.startswith("api/") or "text/html" not in request.headers.get("accept", ""):
            raise HTTPException(404)
        return Response(lost, 404, media_type=HTML)

    return router


def _html(here: Traversable, page: Page) -> bytes:
    """Put a page's content into the layout; none of it comes from data."""
    layout = Template((here / "pages" / "layout.html").read_text("utf-8"))
    content = (here / "pages" / f"{page.name}.html").read_text("utf-8")
    navigation = "\n".join(_entry(one, here=one is page) for one in PAGES)
    told = layout.substitute(name=page.name, title=page.title, navigation=navigation, content=content)
    return told.encode()


def _entry(page: Page, *, here: bool) -> str:
    current = ' aria-current="page"' if here else ""
    return f'<li><a href="{page.address}"{current}>{page.title}</a></li>'


def _walk(folder: Traversable, before: str) -> Iterator[tuple[str, Traversable]]:
    """List the files of a folder and of those in it, by their path from it."""
    for part in folder.iterdir():
        if part.is_dir():
            yield from _walk(part, f"{before}{part.name}/")
        elif _suffix(part.name) in MEDIA:
            yield f"{before}{part.name}", part


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _media(name: str) -> str:
    return f"{MEDIA[_suffix(name)]}; charset=utf-8"


def _kept(body: bytes, media: str) -> Kept:
    return Kept(body, media, hashlib.sha256(body).hexdigest()[:20])


def _served(kept: Kept) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return _answer(request, kept)

    return page


def _answer(request: Request, kept: Kept) -> Response:
    """Give a file, or 304 to who has it."""
    unchanged = etags.unchanged(request, kept.tag)
    return unchanged or Response(kept.body, media_type=kept.media, headers=etags.headers(kept.tag))
