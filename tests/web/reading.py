"""What tests do with a page: open it, and read what a person would."""

from playwright.sync_api import Locator, Page


def shown(tab: Page, path: str) -> Page:
    """Open a page and wait until it shows something."""
    tab.goto(path)
    tab.wait_for_selector("#content[aria-busy=false]")
    return tab


def column(table: Locator, number: int) -> list[str]:
    """Read the texts of a table's column, from 0; no-break spaces as spaces."""
    cells = table.locator(f"tbody tr > *:nth-child({number + 1})")
    return [text.replace("\u00a0", " ") for text in cells.all_inner_texts()]


def main_text(tab: Page) -> str:
    """Read all text of a page's main part, no-break spaces as spaces."""
    return tab.locator("main").inner_text().replace("\u00a0", " ")


def overflow(tab: Page) -> int:
    """Tell by how many pixels the page is wider than its window."""
    found: int = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return found
