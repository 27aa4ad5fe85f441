"""Files become claims: sessions as files tell them, and what could not be used."""

from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from prefect import task

from infra.errors import RejectError
from infra.inputs import InputFile, Unreadable
from tasks.core.calendar import EXCHANGE_TZ
from tasks.core.claims import Claim
from tasks.core.layout import DailyFile, NotAPriceFileError, NoUsableRowError
from tasks.core.prices import content_hash, file_date, read_prices

EXCHANGE_OPENED = date(1994, 1, 13)
"""The first session of all."""
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

    def claim(self, held: Container[str] = ()) -> Claim:
        """Tell what it says about the date of its rows; `held` are the digests of what is there already.

        Sessions from before spellings were unified are known by the digest that the file's own spelling has.
        """
        former = self.content.former_hash
        digest = former if former and former in held else self.digest
        return Claim(self.source, self.day, digest, lambda: self.content.rows, self.dated, self.content)


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
def read_sessions(
    files: Iterable[InputFile], since: date, until: date, today: date | None = None
) -> tuple[list[Session], list[Line]]:
    """Parse files into sessions, oldest first; what is no price file gets a line that says why.

    Sessions that rows date after `today`, the day in Kathmandu, are refused. One that was believed would end
    all predictions of models that learned from it, since they are about sessions before its date.
    """
    found: list[Session] = []
    refused: list[Line] = []
    today = today or datetime.now(EXCHANGE_TZ).date()
    for file in files:
        try:
            read = _sessions_of(file, since, until, today)
            found.extend(one for one in read if not one.dated or (one.day or today) <= today)
            refused.extend(_not_yet(file, read, today))
        except NotAPriceFileError as error:
            refused.append(Line(file.name, None, note=f"refused: {error}"))
    return sorted(found, key=lambda s: (s.day or date.max, s.source, s.digest)), refused


def _not_yet(file: InputFile, read: list[Session], today: date) -> Iterable[Line]:
    """Tell of the sessions that a file dates after today."""
    days = [one.day for one in read if one.dated and one.day and one.day > today]
    if days:
        yield Line(file.name, str(days[0]), note=f"refused: {len(days)} sessions are dated after {today}")


def _named(file: InputFile, today: date) -> date | None:
    """Read the day of a file's name; one that can't be (of another era, say) tells nothing."""
    named = file_date(file.name)
    return named if named and EXCHANGE_OPENED <= named <= today else None


def _sessions_of(file: InputFile, since: date, until: date, today: date) -> list[Session]:
    named = _named(file, today)
    try:
        return [
            _session(file, day or named, content, dated=day is not None)
            for day, content in read_prices(file.content, file.name, since, until)
            if day or not named or since <= named <= until
        ]
    except NoUsableRowError as error:  # a price file all the same: it is put aside, not refused
        return [_session(file, named, error.content, dated=False)]


def _session(file: InputFile, day: date | None, content: DailyFile, *, dated: bool) -> Session:
    return Session(file.name, day, content, content_hash(content.rows), dated)


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
