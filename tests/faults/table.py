"""What was injected, what it cost, and the page that tells it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.faults.checker import Finding

FEWEST = 3
LOST = {"lost", "gap", "missing"}
HEAD = """\
# Faults

What faults do to the running system: {command}, {day}, on {data}.
Each fault hits the real servers while sessions are fed; those of a cluster, a connection and a full disk
hit them while several processes work slices of made-up vectors. Recovery is the time from the fault's end
(for one of three brokers: from its death) until every group has committed to the end of its topics; lost,
duplicated and other are findings of a checker that shares no code with the system.

| fault | times | lost | duplicated | other | recovery, median (s) | longest (s) |
|---|---|---|---|---|---|---|
"""


def repeats(rounds: int) -> int:
    """Tell how often a fault is injected that takes a minute, where a kill is injected `rounds` times."""
    return min(rounds, FEWEST)


@dataclass
class Line:
    """One kind of fault."""

    seconds: list[float] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Write the line of the table."""
        kinds = [finding.kind for finding in self.findings]
        lost = sum(kind in LOST for kind in kinds)
        twice = sum(kind in {"duplicated", "overlap"} for kind in kinds)
        other = len(kinds) - lost - twice
        times = f"{median(self.seconds):.1f} | {max(self.seconds):.1f}"
        return f"| {name} | {len(self.seconds)} | {lost} | {twice} | {other} | {times} |"


@dataclass
class Report:
    """All kinds of faults, in the order in which they were injected."""

    command: str
    data: str = "made-up vectors"
    left: int = 0
    """Tests that had not run when the session was interrupted."""
    lines: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))

    def text(self) -> str:
        """Write the page."""
        rows = "\n".join(line.row(name) for name, line in self.lines.items() if line.seconds)
        head = HEAD.format(command=self.command, day=datetime.now(UTC).date(), data=self.data)
        left = f"\nInterrupted: {self.left} tests had not run, and their faults are not here.\n"
        return f"{head}{rows}\n{left if self.left > 0 else ''}"

    def write(self, file: Path) -> None:
        """Replace the page."""
        file.write_text(self.text())
