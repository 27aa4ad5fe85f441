"""Files become claims: sessions as files tell them, and what could not be used."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from prefect import task

from infra.errors import RejectError
from infra.inputs import InputFile, Unreadable
from tasks.core.claims import Claim
from tasks.core.layout import DailyFile, NotAPriceFileError
from tasks.core.prices import content_hash, file_date, read_daily, read_table_parquet

REASONS = 3
"""Refused files whose reasons are told when nothing at all could be used."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session as a file tells it."""

    source: str
    day: date | None
    """The day that the file is named for, or the date of its rows; None where nothing tells."""
    content: DailyFile
    digest: str
    dated: bool = False
    """The rows carry their date."""

    @property
    def claim(self) -> Claim:
        """What it says about the date of its rows."""
        return Claim(self.source, self.day, self.digest, lambda: self.content.rows, self.dated)


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one file (or of one session of a table), for people and scripts."""

    file: str
    session: str | None
    accepted: int = 0
    rejected: int = 0
    events: int = 0
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the line as JSON types."""
        return asdict(self)


@task
def read_sessions(files: Iterable[InputFile], since: date, until: date) -> tuple[list[Session], list[Line]]:
    """Parse files into sessions, oldest first; what is no price file gets a line that says why."""
    found: list[Session] = []
    refused: list[Line] = []
    for file in files:
        try:
            found.extend(_sessions_of(file, since, until))
        except NotAPriceFileError as error:
            refused.append(Line(file.name, None, note=f"refused: {error}"))
    return sorted(found, key=lambda s: (s.day or date.max, s.source, s.digest)), refused


def _sessions_of(file: InputFile, since: date, until: date) -> list[Session]:
    if file.name.endswith(".parquet"):
        days = read_table_parquet(file.content, file.name, since, until)
        return [
            Session(file.name, day, content, content_hash(content.rows), dated=True) for day, content in days
        ]
    day = file_date(file.name)
    if day and not since <= day <= until:
        return []
    content = read_daily(file.content, file.name)
    return [Session(file.name, day, content, content_hash(content.rows))]


def unread(unreadable: list[Unreadable]) -> list[Line]:
    """Tell of places that can't be read in the same words as of files that are refused."""
    return [Line(one.place, None, note=f"refused: {one.why}") for one in unreadable]


def require_some(found: list[Session], refused: list[Line]) -> None:
    """Let a run fail whose files were all refused, so that its page shows it.

    Raises:
        RejectError: files were refused and no session is left.
    """
    if refused and not found:
        reasons = "; ".join(line.note.removeprefix("refused: ") for line in refused[:REASONS])
        more = f"; and {len(refused) - REASONS} more" if len(refused) > REASONS else ""
        message = f"nothing was ingested: {reasons}{more}"
        raise RejectError(message)
