"""The page's files: how they are served, and what they must not contain."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from infra.cli.main import app
from infra.settings import load_settings
from tests.web_client import Reader
from web import site
from web.app import create_app

WEB = Path(site.__file__).parent
SCRIPTS = sorted(WEB.glob("static/**/*.js"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|DOMParser"
)
IMPORT = re.compile(r"^import \{([^}]*)\} from \"([^\"]+)\";", re.MULTILINE)
ELSEWHERE = re.compile(r"https?://(?!www\.w3\.org/2000/svg)")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader of an app that has no database."""
    nowhere: Any = object()
    monkeypatch.setattr("web.service.positions", lambda *_: {})
    with Reader(create_app(load_settings(tmp_path), nowhere)) as client:
        yield client


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("/", "Market"),
        ("/symbol", "Symbol"),
        ("/symbol/NICAD85/86", "Symbol"),
        ("/model", "Model"),
        ("/model/v3", "Model"),
        ("/pipeline", "Pipeline"),
        ("/letters", "Dead letters"),
        ("/letters/l1", "Dead letters"),
        ("/alerts", "Alerts"),
        ("/alerts/a1", "Alerts"),
    ],
)
def test_each_address_has_its_page(client: Reader, address: str, title: str) -> None:
    """With its place in the navigation, and with headers under which a browser runs nothing foreign."""
    answer = client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<title>{title} · NEPSE loop</title>" in answer.text
    assert f'aria-current="page">{title}</a>' in answer.text
    assert "$" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")


def test_whoever_has_a_file_is_not_sent_it_again(client: Reader) -> None:
    """Until its bytes are others."""
    for address in ("/", "/static/base.css", "/static/pages/market.js"):
        first = client.get(address)
        again = client.get(address, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert client.get(address, headers={"if-none-match": '"other"'}).status_code == 200


def test_what_a_page_names_is_there(client: Reader) -> None:
    """Every script, style sheet and picture, and every module that a script imports."""
    for page in (*site.PAGES, site.LOST):
        text = client.get(page.address or "/nonsense", headers={"accept": "text/html"}).text
        for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
            assert client.get(name).status_code == 200, name
    for script in SCRIPTS:
        for name in re.findall(r'from "(\.[^"]+)"', script.read_text("utf-8")):
            assert (script.parent / name).is_file(), f"{script.name}: {name}"


def test_guides_lie_beside_the_pages(client: Reader) -> None:
    """As text, and nothing else of the disk."""
    answer = client.get("/docs/how-to/write-alert-rules.md")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.text.startswith("# ")
    for name in ("nothing.md", "..%2findex.md", "%2e%2e/%2e%2e/README.md"):
        assert client.get(f"/docs/how-to/{name}").status_code == 404


def test_a_head_is_a_page_without_its_body(client: Reader) -> None:
    """As monitors ask."""
    whole, head = client.get("/"), client.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_people_are_told_where_to_go_and_programs_what_is_wrong(client: Reader) -> None:
    """An unknown address is a page for a browser, and a problem document below the API."""
    accept = {"accept": "text/html,*/*"}
    page = client.get("/nonsense", headers=accept)
    assert (page.status_code, "There is no page at this address" in page.text) == (404, True)
    for address in ("/api/v1/nonsense", "/static/nonsense.js", "/static/../app.py", "/static/%2e%2e/app.py"):
        answer = client.get(address, headers=accept if "static" not in address else {})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_make_no_markup_of_data_and_ask_nobody_else(script: Path) -> None:
    """What comes from events is text; every address is our own; a module stays small enough to read."""
    text = script.read_text("utf-8")
    assert not MARKUP.search(text)
    assert not ELSEWHERE.search(text)
    assert len(text.splitlines()) < 250


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_import_what_there_is_and_what_they_use(script: Path) -> None:
    """No browser would say so before somebody came to that page."""
    text = script.read_text("utf-8")
    for names, module in IMPORT.findall(text):
        there = (script.parent / module).read_text("utf-8")
        for name in filter(None, map(str.strip, names.split(","))):
            assert re.search(rf"^export (async )?(const|function|class) {name}\b", there, re.MULTILINE), name
            assert len(re.findall(rf"(?<![\w.\"]){name}\b", text)) > 1, f"{name} is not used"


def test_commands_that_pages_name_are_there() -> None:
    """What to do where there is nothing to see."""
    named = {name for script in SCRIPTS for name in re.findall(r"`nepse (\w+)", script.read_text("utf-8"))}
    commands: Any = typer.main.get_command(app)
    assert {"demo", "up", "status"} <= named <= set(commands.commands)


def test_pages_have_no_script_or_style_of_their_own() -> None:
    """The security policy would refuse it."""
    for page in WEB.glob("pages/*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text), page.name
