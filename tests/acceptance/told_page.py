"""The page about what was seen and told, and when."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

HEAD = """\
# Alerts: how soon, how many

`make told`, {day}: a whole stack on {cores} cores ({machine}), with a webhook on the same machine as its
channel. Load of the last minute when it ended: {load:.1f}. Seconds, if nothing else is said; asked are 5 s
from an error's event to whoever looks or is told, 30 s until a process that stands still is seen, and a
number of messages that does not grow with that of the alerts.

| what | measured |
|---|---|
"""


def page(figures: Mapping[str, float]) -> str:
    """Write the page."""
    head = HEAD.format(
        day=datetime.now(UTC).date(),
        cores=os.cpu_count(),
        machine=platform.machine(),
        load=os.getloadavg()[0],
    )
    return head + "\n".join(f"| {name} | {_told(value)} |" for name, value in figures.items()) + "\n"


def _told(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}"


def write(file: Path, figures: Mapping[str, float]) -> None:
    """Write it into a file."""
    file.write_text(page(figures), "utf-8")
