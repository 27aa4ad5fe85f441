"""Sessions are compared with what is held, stored, announced; what turned out wrong is taken back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pandas as pd
from prefect import task

from events.payloads import DataIngested, DataRetracted
from infra.bootstrap import Loop
from infra.kafka.source import Source
from infra.progress import tell
from tasks.announcements import PRODUCER, Done, store_and_tell
from tasks.core.announcing import Plan, Planner
from tasks.core.claims import Claim, Kind, Known, Verdict
from tasks.core.layout import quarantine_frame
from tasks.core.places import Places, in_order
from tasks.core.prices import file_date
from tasks.core.sessions import Held
from tasks.quarantine import quarantine
from tasks.reading import Line, Session
from tasks.sessions import Sessions, sessions

Verdicts = dict[Claim, Verdict]
_ASIDE = {Kind.UNPLACED: "unplaced", Kind.EMPTY: "empty"}


def ingest_all(loop: Loop, found: list[Session]) -> list[Line]:
    """Store and announce the sessions of one command; one that is there already is skipped.

    Raises like `Source.publish` and `Store.put_new`.
    """
    source = Source(loop.pool, PRODUCER)
    source.open()
    try:
        return ingest_batch(loop, source, found)
    finally:
        source.close()


@task
def ingest_batch(loop: Loop, source: Source, found: list[Session]) -> list[Line]:
    """Place sessions among those held, whatever their order, and tell the difference.

    A command that was killed is given again, and tells what is left.
    """
    known = sessions(loop)
    index = known.refresh()
    start = HeldNow(known)
    places = Places(start)
    by_claim = {one.claim(start): one for one in found}
    verdicts = {claim: places.take(claim) for claim in in_order(by_claim)}
    told = _tell(loop, source, Planner(index, start, places.changes()).plan())
    return [*_lines(loop, verdicts, by_claim, places, told), *_also(told, verdicts)]


class HeldNow:
    """The sessions held now as claims, each made when it is looked at: a command costs those near its own.

    An event of another client may name an object twice; the newest session of it is compared.
    """

    def __init__(self, known: Sessions) -> None:
        """Nothing is looked at yet."""
        self._known, self._current = known, known.index.current
        self._repeated = self._current.repeated()
        self._seen: dict[date, Known] = {}

    def days(self) -> list[date]:
        """List their days, oldest first."""
        return [day for day in self._current.days if day not in self._repeated]

    def at(self, day: date) -> Known | None:
        """Find a day's session, the same claim whenever it is asked for."""
        held = None if day in self._repeated else self._current.at(day)
        if held and day not in self._seen:
            self._seen[day] = _known(self._known, held)
        return self._seen.get(day)

    def day_of(self, digest: str) -> date | None:
        """Find the session with these rows."""
        return self._current.day_of(digest)

    def __contains__(self, digest: object) -> bool:
        """Tell whether some session has these rows."""
        return isinstance(digest, str) and self.day_of(digest) is not None


def _known(known: Sessions, held: Held) -> Known:
    """See a session that is held as the claim that it rests on."""
    said = held.said
    source = (said.source if said else None) or held.location
    named, dated = (said.named, said.dated) if said else (None, False)
    if named is None:  # it was told before such events named it
        named, dated = file_date(source) or held.day, source.endswith(".parquet")
    return Known(
        held.day, Claim(source, named, held.digest, lambda: known.rows_of(held), dated), held.location
    )


def _tell(loop: Loop, source: Source, plan: Plan) -> list[Done]:
    """Store and publish a plan's batches, each a transaction after its objects are stored."""
    told = list[Done]()
    total = sum(map(len, plan.batches))
    for batch in plan.batches:
        tell("sessions", len(told), total)
        steps = store_and_tell(loop, batch)
        source.publish(record for one in steps for record in one.records)
        told += [one.done() for one in steps]
    return told


def _lines(
    loop: Loop, verdicts: Verdicts, files: dict[Claim, Session], places: Places, told: list[Done]
) -> list[Line]:
    """Say what became of each file, as it is in the end: a later file may have thrown a light on it."""
    said = {one.said.content_hash: one for one in told if isinstance(one.said, DataIngested)}
    lines = []
    for claim, verdict in verdicts.items():
        digest = _digest(claim, verdict)
        line = _line(files[claim], verdict, places.day_of(digest), said.pop(digest, None))
        if verdict.kind in _ASIDE:
            place = quarantine(loop, None, _whole(files[claim], _ASIDE[verdict.kind]))
            line = replace(line, note=f"{line.note} at {place}")
        lines.append(line)
    return lines


def _digest(claim: Claim, verdict: Verdict) -> str:
    """Tell what a file's rows are known by: of a mixture those that are its own."""
    return verdict.claim.digest if verdict.claim.file is claim.file else claim.digest


def _line(file: Session, verdict: Verdict, day: date | None, told: Done | None) -> Line:
    session = day or (verdict.of.day if verdict.of else None)
    accepted, rejected = len(file.content.rows), len(file.content.rejected)
    if told is None:
        why = verdict.why or "another file of the command holds its session"
        return Line(file.source, str(session) if session else None, note=why)
    revision = told.said.revision if isinstance(told.said, DataIngested) else 0
    note = f"revision {revision}" if revision else ""
    return Line(file.source, str(session), accepted, rejected, told.events, note)


def _also(told: list[Done], verdicts: Verdicts) -> Iterable[Line]:
    """Say what else was told: sessions taken back, moved, or after another one than they said."""
    files = {_digest(claim, verdict) for claim, verdict in verdicts.items()}
    for one in told:
        said = one.said
        if isinstance(said, DataRetracted):
            yield Line(
                said.data_location, str(said.date), events=one.events, note=f"retracted: {said.reason}"
            )
        elif said.content_hash not in files:
            note = f"revision {said.revision}, after session {said.previous_date}"
            yield Line(said.source or said.data_location, str(said.date), events=one.events, note=note)


def _whole(file: Session, reason: str) -> pd.DataFrame:
    """Give all rows of a file that is put aside, as rejected rows."""
    rows = file.content.rows.assign(source=file.source, reason=reason)
    return pd.concat([quarantine_frame(file.content), rows], ignore_index=True)
