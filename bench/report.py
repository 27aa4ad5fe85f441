"""The page that the benchmarks write, one part a topic, and the figures beside it.

A topic that is measured again replaces its own part and figures, and leaves the others as they are.
"""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psutil

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks.md"
FIGURES = PAGE.with_suffix(".json")
TOPICS = ("join", "features", "backfill", "wide", "alerts", "models", "readers")
"""In the order of the page."""
HEAD = """\
# Benchmarks

Written by `make bench`, or `python -m bench TOPIC --write` for one part; each part says when and on what it
was measured. Compare the ratios; the times are that machine's. `benchmarks.json` beside this page holds the
same figures.
"""


class Target(NamedTuple):
    """What was asked for: at least so much, or at most."""

    name: str
    wanted: float
    shape: str
    most: bool = False

    def met(self, found: float) -> bool:
        """Tell whether a figure is good enough."""
        return found <= self.wanted if self.most else found >= self.wanted

    def __str__(self) -> str:
        """Name it as the page does."""
        return f"{self.name}, at most" if self.most else self.name


def rows(targets: Sequence[Target], reached: Sequence[float | None]) -> str:
    """Tell what was asked beside what was measured; None is what was not measured."""
    text = "| target | asked | measured | met |\n|---|---|---|---|\n"
    for target, found in zip(targets, reached, strict=True):
        told = "not measured" if found is None else target.shape.format(found)
        met = "" if found is None else "yes" if target.met(found) else "no"
        text += f"| {target} | {target.wanted:,} | {told} | {met} |\n"
    return text


def missed(targets: Sequence[Target], reached: Sequence[float | None]) -> list[str]:
    """Name the targets that were measured and not met."""
    pairs = zip(targets, reached, strict=True)
    return [str(target) for target, found in pairs if found is not None and not target.met(found)]


def machine(who: str, *versions: str) -> str:
    """Tell when and on what it was measured, and who shared that."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"\nMeasured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores ({platform.machine()}) and"
        f" {memory:.0f} GiB, {who}; CPython {platform.python_version()}, {', '.join(versions)}."
        f" Average load of the last 15 minutes: {os.getloadavg()[2]:.1f}.\n"
    )


def with_part(page: str, topic: str, part: str) -> str:
    """Put a topic's part into the page, in the place of its older one."""
    parts = dict(re.findall(r"<!-- part: (\w+) -->\n(.*?)<!-- end of part -->\n", page, re.DOTALL))
    parts[topic] = part
    marked = (f"\n<!-- part: {one} -->\n{parts[one]}<!-- end of part -->\n" for one in TOPICS if one in parts)
    return HEAD + "".join(marked)


def write(topic: str, part: str, figures: dict[str, Any], page: Path = PAGE) -> None:
    """Write a topic's part into the page, and its figures into the file beside it."""
    page.write_text(with_part(page.read_text() if page.exists() else "", topic, part))
    beside = page.with_suffix(".json")
    kept = saved(beside) | {topic: figures}
    beside.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def saved(beside: Path = FIGURES) -> dict[str, Any]:
    """Read the figures of the topics that were measured."""
    found: dict[str, Any] = orjson.loads(beside.read_bytes()) if beside.exists() else {}
    return found
