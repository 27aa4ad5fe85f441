"""Text that Prefect's and MLflow's pages show."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#|!~])")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write a markdown table."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(str(cell) for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def link(text: str, address: str) -> str:
    """Write a link whose text is shown as it is, whoever named it."""
    shown = _MARKS.sub(r"\\\1", " ".join(text.split()))
    return f"[{shown}]({address})"
