"""Pictures of every page for the documentation: `python -m tests.web.pictures [--address URL] [--to FOLDER]`.

Without an address they are of the canned market that the tests look at.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.web.canned import SESSIONS, SYMBOLS
from tests.web.operating import Operating
from tests.web.reading import shown
from tests.web.serving import browsing, serving
from web.site import PAGES

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
}
TALLEST = 2_400


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", help="a running stack's page, as http://127.0.0.1:8000")
    parser.add_argument("--symbol", default="NABIL", help="which symbol's page")
    parser.add_argument("--to", type=Path, default=Path("docs/pictures"))
    wanted = parser.parse_args()
    paths = {page.name: page.address for page in PAGES} | {"symbol": f"/symbol/{wanted.symbol}"}
    with _address(wanted.address) as address, browsing() as browser:
        for name, path in paths.items():
            take(browser, address + path, wanted.to / f"page-{name}.png", DESK | {"color_scheme": "light"})
        for name in ("market", "symbol"):
            dark = wanted.to / f"page-{name}-dark.png"
            take(browser, address + paths[name], dark, DESK | {"color_scheme": "dark"})
        phone = PHONE | {"color_scheme": "light"}
        take(browser, address + paths["symbol"], wanted.to / "page-symbol-phone.png", phone)


def take(browser: Browser, address: str, to: Path, how: dict[str, Any]) -> None:
    """Take one picture of a whole page, of a very long one its beginning."""
    context = browser.new_context(reduced_motion="reduce", **how)
    page = shown(context.new_page(), address)
    page.wait_for_selector("#connection[data-state=live]")
    width, height = how["viewport"]["width"], page.evaluate("document.documentElement.scrollHeight")
    most = how["viewport"]["height"] if how.get("is_mobile") else min(height, TALLEST)
    page.screenshot(path=to, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": most})
    context.close()


@contextmanager
def _address(wanted: str | None) -> Iterator[str]:
    """Give the address that is wanted, or serve what is canned."""
    if wanted:
        yield wanted.rstrip("/")
        return
    with tempfile.TemporaryDirectory() as home, serving(at_work(), Path(home)) as address:
        yield address


def at_work() -> Operating:
    """Let one flow lag and another wait for a server, so that pictures show how that looks."""
    made = Operating(SYMBOLS, SESSIONS)
    made.wait("predict", "features", 21, partition=1)
    made.say("sensor-retrain", "paused", "the MLflow server does not answer")
    return made


if __name__ == "__main__":
    main()
