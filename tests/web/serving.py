"""The real app under a real HTTP server in a thread, and a real browser that reads its pages."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Playwright, sync_playwright
from pydantic import SecretStr

from infra.settings import load_settings
from tests.web.canned import Canned, in_place_of_the_database
from web.app import create_app

START_SECONDS = 20.0
TOKEN = "the-token"  # noqa: S105
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


def browser_path() -> str | None:
    """Find a Chromium: what NEPSE_BROWSER names, or one of the system's."""
    return os.environ.get("NEPSE_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def serving(canned: Canned, home: Path) -> Iterator[str]:
    """Serve the app on what is canned; yields its address."""
    nowhere: Any = object()
    settings = load_settings(home, api_token=SecretStr(TOKEN))
    with in_place_of_the_database(canned), socket.create_server(("127.0.0.1", 0)) as ear:
        app = create_app(settings, nowhere)
        canned.service = app.state.service
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([ear],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{ear.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)
        assert not thread.is_alive()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start the browser; without one, tests that need it are skipped."""
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium here: install Debian's `chromium`, or name one in NEPSE_BROWSER")
    with sync_playwright() as playwright:
        browser = launched(playwright, path)
        yield browser
        browser.close()


def launched(playwright: Playwright, path: str) -> Browser:
    """Start a Chromium without a window."""
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
