"""Which session is it? The rows say so, beside the sessions that are held; the file's name is only a bound.

What was downloaded on a day holds that day's session or an earlier one: more than a third of the exchange's
files repeat one. So the date of some rows is the earliest that any file with them allows, whichever came
first, and the fullest rows of a session hold. Both are the same in any order of arrival.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

from tasks.core.calendar import Calendar
from tasks.core.claims import Claim, Kind, Known, Push, Verdict, natural_day
from tasks.core.likeness import SAME_LEAST, Relation, fuller, likeness, stale
from tasks.core.prices import content_hash

THIN = 5
"""Rows below which equal rows tell nothing from afar: 456 rows of real neighbours are equal, mostly single
trades of debentures, and 2011-11-29 has one row in all."""


def identify(claim: Claim, near: Sequence[Known], calendar: Calendar) -> Verdict:
    """Tell which session a claim's rows are.

    Args:
        claim: The rows and the date that is claimed for them.
        near: The sessions held around the claimed date (see `Places`), oldest first, and the one with the
            same digest wherever it is.
        calendar: Which days can be sessions. Not one that learned from the sessions held: a file that was not
            read yet would make a holiday of its day.
    """
    if claim.rows().empty:
        return Verdict(Kind.EMPTY, claim, None)
    if original := _repeated(claim, near, calendar):
        return _joined(claim, original, near, calendar)
    relations = [(known, _relation(claim, known)) for known in near]
    for known, relation in relations:
        if relation is Relation.MIXED and not claim.dated:
            return identify(without(claim, known), near, calendar)
    for known, relation in relations:
        if relation is Relation.SAME:
            return _joined(claim, known, near, calendar)
    return _new(claim, near, calendar)


def without(claim: Claim, known: Known) -> Claim:
    """Leave out the rows that are left over from a session that is held."""
    rows = claim.rows()
    rest = rows[~stale(known.claim.rows(), rows)].reset_index(drop=True)
    return replace(claim, rows=lambda: rest, digest=content_hash(rest))


def _relation(claim: Claim, known: Known) -> Relation:
    """What the claim is to a held session; dates that rows carry tell two sessions apart by themselves."""
    if claim.dated and known.claim.dated:
        return Relation.SAME if claim.named == known.day else Relation.UNKNOWN
    return likeness(known.claim.rows(), claim.rows()).relation


def _repeated(claim: Claim, near: Sequence[Known], calendar: Calendar) -> Known | None:
    """Find the held session with the same rows; a thin one counts as that only next to its day."""
    alike = [known for known in near if known.claim.digest == claim.digest]
    if len(claim.rows()) < THIN:
        day = natural_day(claim, calendar)
        alike = [known for known in alike if _beside(claim, known, day, near)]
    return alike[0] if alike else None


def _beside(claim: Claim, known: Known, day: date | None, near: Sequence[Known]) -> bool:
    if day is None or known.day == day:
        return True
    first, last = sorted((day, known.day))
    both_dated = claim.dated and known.claim.dated
    return not both_dated and not any(first < other.day < last for other in near)


def _joined(claim: Claim, held: Known, near: Sequence[Known], calendar: Calendar) -> Verdict:
    """Join a claim to the session that it is: the better date holds, and the fuller rows."""
    others = [known for known in near if known is not held]
    day = natural_day(claim, calendar)
    seat = _seat(claim, day, others, calendar) if day else None
    same = claim.digest == held.claim.digest
    better = seat is not None and (
        (not same and held.claim.rows().empty)  # whoever told of it told of nothing
        or _standing(claim, seat.day, calendar) < _standing(held.claim, held.day, calendar)
    )
    full = not same and fuller(claim.rows(), held.claim.rows())
    date_of = claim if better else held.claim
    kept = replace(
        claim if full or (same and better) else held.claim, named=date_of.named, dated=date_of.dated
    )
    if seat and better and seat.day != held.day:
        return Verdict(Kind.MOVED, kept, seat.day, held, seat.push)
    kind = Kind.REVISION if full else Kind.REPEAT if same else Kind.PARTIAL
    return Verdict(kind, kept, held.day, held)


def _standing(claim: Claim, day: date, calendar: Calendar) -> tuple[int, bool, date, date]:
    """Rank what a date rests on, the least first: rows that carry it, a name, the session before.

    Of two dates of the same kind the earlier holds. But a price history that has the same rows on a day
    without trading and on one with (2016-09-03 and 09-04) is right about the latter.
    """
    basis = 0 if claim.dated else 1 if claim.named else 2
    return basis, claim.dated and not calendar.trading_day(day), day, claim.named or date.max


def _new(claim: Claim, near: Sequence[Known], calendar: Calendar) -> Verdict:
    """Place rows that are no held session's: by their own date, or after the session that they continue."""
    day = natural_day(claim, calendar) or _following(claim, near, calendar)
    if day is None:
        return Verdict(Kind.UNPLACED, claim, None)
    holder = _at(near, day)
    if holder and _nothing_against(claim, holder):
        return _joined(claim, holder, near, calendar)
    seat = _seat(claim, day, near, calendar)
    if seat is None:
        return Verdict(Kind.UNPLACED, claim, None)
    return Verdict(Kind.SESSION, claim, seat.day, push=seat.push)


def _following(claim: Claim, near: Sequence[Known], calendar: Calendar) -> date | None:
    """The day after the session that an undated claim continues, by the calendar: a holiday misleads it."""
    before = [known for known in near if _relation(claim, known) is Relation.NEXT]
    day = calendar.next_session(before[-1].day) if before else None
    return None if day and _at(near, day) else day


def _nothing_against(claim: Claim, holder: Known) -> bool:
    """Tell whether two claims of a day can be one session: few rows tell, or one of them is a mixture.

    What is held may be an event alone: its object is gone, or never was one.
    """
    if holder.claim.rows().empty:
        return True
    like = likeness(holder.claim.rows(), claim.rows())
    return like.common > 0 and (like.telling < SAME_LEAST or like.blended or like.left_over)


class _Seat(NamedTuple):
    """A day for a claim, and who has to leave it."""

    day: date
    push: Push | None = None


def _seat(claim: Claim, day: date, near: Sequence[Known], calendar: Calendar) -> _Seat | None:
    """Find room at `day`; of two sessions that claim one day, the order in which they follow decides."""
    holder = _at(near, day)
    if holder is None:
        return _Seat(day)
    relation = _relation(claim, holder)
    if relation is Relation.NEXT:
        if later := _later(claim, day, near, calendar):
            return _Seat(later)
        earlier = _earlier(holder.claim, day, near, calendar)
        return _Seat(day, Push(holder, earlier)) if earlier else None
    if relation is Relation.BEFORE:
        if later := _after(claim, holder, near, calendar):
            return _Seat(day, Push(holder, later))
        earlier = _earlier(claim, day, near, calendar)
        return _Seat(earlier) if earlier else None
    return None


def _later(claim: Claim, day: date, near: Sequence[Known], calendar: Calendar) -> date | None:
    """A free day after `day` that the claim allows: the day of its name, then a session off the calendar."""
    later = claim.named or calendar.next_session(day)
    return later if later > day and not _at(near, later) else None


def _after(claim: Claim, holder: Known, near: Sequence[Known], calendar: Calendar) -> date | None:
    """A free day for a held session that `claim` comes before: the first that neither date speaks against.

    Earlier files with the held rows may have been skipped as repeats, so the name that is left is a bound.
    """
    later = _later(holder.claim, holder.day, near, calendar)
    if later is None or holder.claim.named is None:
        return later
    first = max(holder.day, claim.named or holder.day) + timedelta(days=1)
    return first if first < later and not _at(near, first) else later


def _earlier(claim: Claim, day: date, near: Sequence[Known], calendar: Calendar) -> date | None:
    """The session before `day`, if it is free and the rows don't carry their date."""
    earlier = calendar.on_or_before(day - timedelta(days=1))
    return None if claim.dated or _at(near, earlier) else earlier


def _at(near: Sequence[Known], day: date) -> Known | None:
    return next((known for known in near if known.day == day), None)
