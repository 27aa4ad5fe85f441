"""Fixtures of the browser's tests: what the read side holds, and a tab that tolerates no error."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.web.canned import Canned
from tests.web.serving import browsing, serving

PATIENCE_MS = 20_000  # a busy machine is no defect
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module: while it is open, this thread has an event loop of its."""
    with browsing() as browser:
        yield browser


@pytest.fixture
def canned() -> Canned:
    """What the read side holds; a test changes it."""
    return Canned()


@pytest.fixture
def address(canned: Canned, tmp_path: Path) -> Iterator[str]:
    """Where the app listens."""
    with serving(canned, tmp_path) as address:
        yield address


class Watch:
    """Notes whatever a tab complains of, and whom it asks besides us."""

    def __init__(self, page: Page, address: str) -> None:
        """Begin to listen."""
        self.troubles: list[str] = []
        self.expected = re.compile("(?!)")
        self._address = address
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", self._request)

    def expect(self, pattern: str) -> None:
        """Let pass what a test provokes: a browser logs each answer that is a failure."""
        self.expected = re.compile(pattern)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self.expected.search(message.text):
            self.troubles.append(f"{message.type}: {message.text} ({message.location})")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._address}/", "blob:")):
            self.troubles.append(f"asked somebody else: {request.url}")


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Page]:
    """A tab of a desktop's size."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture(autouse=True)
def watch(tab: Page, address: str) -> Iterator[Watch]:
    """Fail each test whose tab complained or asked somebody else."""
    watch = Watch(tab, address)
    yield watch
    assert watch.troubles == []
