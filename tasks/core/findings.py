"""What a reconciliation may find, and what a person should do about each kind."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, NamedTuple

SHOWN = 20
"""Findings of one kind at one place that are told one by one; the others are counted."""


class Kind(NamedTuple):
    """Whether a finding of this kind makes the reconciliation fail, and what to do about it."""

    serious: bool
    advice: str


KINDS: dict[str, Kind] = {
    "gap": Kind(True, "look up what was committed before and after in the ledger; publish the inputs again"),
    "overlap": Kind(True, "two runs committed the same offsets: look for doubled events of both"),
    "no-run": Kind(True, "find who wrote to the ledger beside the flows"),
    "progress": Kind(True, "the group's offsets were moved by hand: set them to the ledger's end"),
    "missing-offset": Kind(True, "set the group's offset to the end of its last slice"),
    "lost": Kind(True, "keep the ledger and the logs of the run; publish the input again, it keeps its id"),
    "twice": Kind(True, "find both records by their cause; readers keep the first of an id"),
    "unexpected": Kind(True, "find who published it; its prediction and actual do not make this error"),
    "doubled": Kind(True, "one input made an event twice: readers keep the first, look at both runs"),
    "broken-cause": Kind(True, "find who published it; it names a record that is not there"),
    "hanging": Kind(True, "end the process that holds it; else abort it with Kafka's own tool"),
    "unsettled": Kind(False, "reconcile again; if it stays, look for a hanging transaction"),
    "repeated": Kind(False, "nothing: an event was delivered again, readers keep the first"),
    "closed-run": Kind(False, "nothing: the run's process was gone; its page tells its true end now"),
    "letters-expired": Kind(False, "nothing: the letters of that time are no longer kept"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, or worth knowing: a kind of KINDS, where, and a sentence."""

    kind: str
    where: str
    what: str

    @property
    def serious(self) -> bool:
        """Whether a person has to look."""
        return KINDS[self.kind].serious

    @property
    def advice(self) -> str:
        """What that person should do."""
        return KINDS[self.kind].advice

    def as_dict(self) -> dict[str, Any]:
        """Give the finding as JSON types."""
        return {**asdict(self), "serious": self.serious, "advice": self.advice}


def shortened(found: Iterable[Finding]) -> list[Finding]:
    """Tell the first SHOWN of a kind at a place and count the rest."""
    kept: list[Finding] = []
    for (kind, where), group in groupby(
        sorted(found, key=lambda f: (f.kind, f.where)), key=lambda f: (f.kind, f.where)
    ):
        alike = list(group)
        kept += alike[:SHOWN]
        if len(alike) > SHOWN:
            kept.append(Finding(kind, where, f"and {len(alike) - SHOWN} more"))
    return sorted(kept, key=lambda f: not f.serious)


def told(found: list[Finding]) -> str:
    """Say in one sentence how a reconciliation ended."""
    serious = sum(f.serious for f in found)
    notes = len(found) - serious
    if serious:
        return f"{serious} findings to look at, {notes} notes"
    return f"all is accounted for, {notes} notes" if notes else "all is accounted for"
