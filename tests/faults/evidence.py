"""What the parts of a stack told since a moment, for whoever has to find out why one did not come back."""

from pathlib import Path

MOST_BYTES = 60_000
"""As much of each part's log as is told, the end of it."""


class Evidence:
    """The logs of a home, read from where they stood at the last mark."""

    def __init__(self, logs: Path) -> None:
        """Begin now."""
        self.logs = logs
        self.mark()

    def mark(self) -> None:
        """Begin anew: what was told before matters no more."""
        self.sizes = {file: file.stat().st_size for file in self.logs.glob("*.log")}

    def text(self) -> str:
        """Tell what each log has got since the mark."""
        return "\n".join(
            f"--- {file.name}\n{told}"
            for file in sorted(self.logs.glob("*.log"))
            if (told := self._told(file))
        )

    def _told(self, file: Path) -> str:
        size, before = file.stat().st_size, self.sizes.get(file, 0)
        with file.open("rb") as log:
            log.seek(max(before if before <= size else 0, size - MOST_BYTES))  # a log may have been rotated
            return log.read().decode(errors="replace")
