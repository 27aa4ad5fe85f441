"""The page that lists every feature, written from the table: `python -m tasks.core.feature_reference`."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from events.kept import keep
from tasks.core.catalogue import FEATURE_TABLE, LEARNED, Feature
from tasks.core.features import FEATURE_SET
from tasks.core.grid import ADJUSTED, BAND, CARRY, WINDOW
from tasks.core.written import SIGNIFICANT

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "features.md"

_HEAD = f"""\
# Features

Feature set {FEATURE_SET}: {len(FEATURE_TABLE)} features of each symbol and session, groups by their gain.
Written by `python -m tasks.core.feature_reference --write`; `make lint` compares it with the code.

- **Window**: sessions of the market that a value looks at, its own included. The path beneath may reach
  {CARRY} sessions further back, so that {WINDOW} sessions decide everything, and one session computed from
  them equals, bit for bit, a computation over all of history.
- **Needs**: sessions that the symbol itself must have been known for, this one included. With fewer the
  value is null; so it is wherever its formula has no answer (0/0, the log of 0, a field that is missing).
- **Model**: whether models learn from it; all features are stored.
- **Path**: between trades a close stands for at most {CARRY} sessions. Where the exchange's previous close
  differs by more than {ADJUSTED * 100:g} % from the last one it has adjusted for a bonus, right or dividend,
  and earlier prices are brought to the later rupees. A move beyond {BAND * 100:g} % without its word is no
  return.
- `talib` names the function of TA-Lib whose last value on that window the feature equals to 1e-9.
- Values have {SIGNIFICANT} digits on the wire. Ranks compare what was rounded to 9 decimals.
"""

_COLUMNS = "| feature | formula | window | needs | unit | model |\n|---|---|---|---|---|---|\n"


def text() -> str:
    """The page as it is committed."""
    return "\n".join((_HEAD, *(_section(name, list(group)) for name, group in _groups())))


def _groups() -> Iterator[tuple[str, Iterator[Feature]]]:
    return groupby(FEATURE_TABLE, lambda entry: entry.group)


def _section(name: str, entries: list[Feature]) -> str:
    return f"## {name.capitalize()}\n\n{_COLUMNS}" + "".join(_row(entry) for entry in entries)


def _row(entry: Feature) -> str:
    formula, learned = entry.formula.replace("|", "\\|"), "yes" if entry.name in LEARNED else ""
    cells = (f"`{entry.name}`", formula, str(entry.window), str(entry.minimum), entry.unit, learned)
    return f"| {' | '.join(cells)} |\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the page; returns the exit code."""
    return keep("tasks.core.feature_reference", "Keep the list of features.", text, PAGE, arguments)


if __name__ == "__main__":
    sys.exit(main())
