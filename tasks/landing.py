"""The landing place: what lies there and was not announced is read; whether a session is missing is told."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from prefect import task

from events.payloads import DataIngested
from infra.bootstrap import Loop
from infra.errors import UsageError
from infra.inputs import InputFile, Unreadable, list_files, read_listed
from infra.kafka.records import of_kind
from tasks.core.landing import Offer, chosen, missing_session
from tasks.reading import Line
from tasks.sessions import calendar

BECAME = ("announced", "retracted", "skipped", "put aside", "refused")
"""What can become of a file, or of a session."""


class Landing:
    """What was found; a class of its own so that Prefect does not walk through the files' bytes."""

    def __init__(self, listed: int, files: list[InputFile], unreadable: list[Unreadable]) -> None:
        """Keep the number of files that lie there, and those that were read."""
        self.listed = listed
        self.files = files
        self.unreadable = unreadable


@task
def look(loop: Loop) -> Landing:
    """Read what is new at the landing place.

    Raises:
        UsageError: no landing place is set.
        RejectError: it can't be read.
        TryAgainError: the broker is away.
    """
    place = loop.settings.landing
    if place is None:
        message = "no files are named and no landing place is set (NEPSE_LANDING)"
        raise UsageError(message)
    lying = list_files(loop.settings, place)
    told = of_kind(loop.raw_data.between(0, loop.raw_data.refresh()), DataIngested)
    announced = {one.payload.source: one.event.timestamp for one in told if one.payload.source}
    newest = max((one.payload.date for one in told), default=None)
    offers = {Offer(file.path, file.name, file.modified): file for file in lying}
    files = [offers[one] for one in chosen(offers, announced, newest, datetime.now(UTC))]
    return Landing(len(lying), *read_listed(loop.settings, place, files))


def outcome(loop: Loop, landing: Landing, lines: Sequence[Line], now: datetime | None = None) -> str:
    """Say in one line what a look at the landing place brought, and whether today's session is missing."""
    counts = Counter(map(_became, lines))
    parts = [f"{landing.listed} files lie there, {len(landing.files)} read", *_counted(counts)]
    parts += sorted({f"session {line.session}" for line in lines if _became(line) == "announced"})
    parts += [line.note for line in lines if _became(line) in {"refused", "put aside"}][:1]
    if late := missing_session(calendar(loop), now or datetime.now(UTC)):
        parts.append(f"NO SESSION OF {late} YET: it is late, or the day is a holiday")
    return "; ".join(parts)


def _became(line: Line) -> str:
    """Name what became of a file or a session by its line."""
    if line.events:
        return "retracted" if line.note.startswith("retracted") else "announced"
    return next((what for what in ("refused", "put aside") if what in line.note), "skipped")


def _counted(counts: Counter[str]) -> Iterable[str]:
    return (f"{counts[what]} {what}" for what in BECAME if counts[what])
