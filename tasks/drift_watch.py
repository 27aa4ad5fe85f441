"""The newest sessions beside those that the serving version was made from: does it still know this market?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import pandas as pd

from events.payloads import DataIngested, ModelRetrainingTriggered
from infra.bootstrap import Loop
from infra.errors import RejectError
from infra.kafka.records import Received
from tasks.core.calendar import EXCHANGE_TZ
from tasks.core.drift import Finding
from tasks.core.drift_reference import WEEK, Reference
from tasks.core.drift_watch import SPAN, Look, Matrix, Sessions, begun, findings, look, measured
from tasks.core.features import FEATURE_SET
from tasks.core.training import TrainedModel, predict
from tasks.core.triggering import DRIFT_FEATURES, DRIFT_PREDICTIONS, Past, may_complain
from tasks.serving import PERSISTENCE, ModelBook, model_book
from tasks.sessions import sessions
from tasks.triggers import asked_and_trained
from tasks.vectors import rows_as_of

REASONS = (DRIFT_FEATURES, DRIFT_PREDICTIONS)


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of a slice: what to tell, the session that was judged, and what it was found to be."""

    told: str
    version: str = ""
    cause: Received[DataIngested] | None = None
    found: dict[str, Finding] = field(default_factory=dict)
    """By reason."""
    complaints: list[ModelRetrainingTriggered] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Watch:
    """A version, and the question whether the newest of some sessions is still of its world."""

    version: str
    model: TrainedModel
    past: Past
    days: Sequence[date]

    def references(self) -> dict[str, Reference]:
        """Read what the version was made from, by the reasons for which somebody may complain now."""
        noted, newest = self.model.card.reference, self.days[-1]
        reasons = [reason for reason in REASONS if may_complain(self.past, reason, self.days, newest)]
        return {reason: Reference.from_dict(noted[reason]) for reason in reasons if reason in noted}

    def look(self, reason: str) -> Look:
        """Tell how many sessions have to be judged."""
        return look(self.days, self.past.newest(reason, self.version), self.past.term_of(self.version))

    def judge(self, reason: str, reference: Reference, table: pd.DataFrame) -> tuple[Finding | None, bool]:
        """Tell what the newest session is found to be, and whether a drift begins with it."""
        told = self.look(reason)
        rows = Sessions(table["date"].tolist(), self._values(reason, reference, table))
        found = findings(reference, rows, told.sessions)
        return (found[-1] if found else None), begun(found, complained=told.complained)

    def _values(self, reason: str, reference: Reference, table: pd.DataFrame) -> Matrix:
        if reason == DRIFT_FEATURES:
            return table[reference.names].to_numpy(dtype=np.float64)
        closes = predict(self.model, table)["predicted_close"].to_numpy(dtype=np.float64)
        returns: Matrix = np.log(closes / table["last_close"].to_numpy(dtype=np.float64))
        return returns[:, None]

    def complaint(self, reason: str, finding: Finding) -> ModelRetrainingTriggered:
        """Ask for a retraining on all that is known."""
        figures = measured(reason, finding)
        return ModelRetrainingTriggered(
            reason=reason,
            data_end_date=self.days[-1],
            detail=figures.why,
            statistic=figures.statistic,
            threshold=figures.threshold,
            model_version=self.version,
        )


def watch(loop: Loop, told: Sequence[Received[DataIngested]], end: int) -> Watched:
    """Judge the newest session as of offset `end`, where one of the records told it.

    Older sessions, as of a history that is loaded, are not judged, nor is one that a training has seen.

    Raises:
        TryAgainError: the store, the registry or the broker is away.
    """
    today = datetime.now(EXCHANGE_TZ).date()  # what is dated later is no session yet: it would be the newest
    held = sessions(loop).refresh().window(end - 1, today, WEEK + SPAN)
    cause = next((one for one in told if held and one.place.offset == held[-1].offset), None)
    if cause is None:
        return Watched("no newer session")
    book = model_book(loop)
    version = book.version_for(date.max)
    if version == PERSISTENCE:
        return Watched("no trained version serves")
    one = _watch(loop, book, version, [session.day for session in held])
    if isinstance(one, str):
        return Watched(f"not judged: {version} {one}", version)
    references = one.references()
    table = _rows(loop, one, end, references)
    if table is None:
        return Watched(f"{version}: nothing to judge", version)
    return _judged(one, cause, references, table)


def _watch(loop: Loop, book: ModelBook, version: str, days: Sequence[date]) -> Watch | str:
    """Load the version; says why it can't be judged."""
    try:
        return Watch(version, book.model(version), asked_and_trained(loop), days)
    except RejectError as error:
        return f"can't be loaded: {error}"


def _rows(loop: Loop, one: Watch, end: int, references: Mapping[str, Reference]) -> pd.DataFrame | None:
    """Compute the vectors of the sessions that are judged, as of the offset; None where there are none."""
    if not references:
        return None
    last = max(one.look(reason).sessions for reason in references)
    rows = rows_as_of(loop, end - 1, one.days[-(last + WEEK - 1) :])
    table = pd.concat(rows.values(), ignore_index=True) if one.days[-1] in rows else None
    return table if table is not None and one.model.takes(FEATURE_SET, table.columns) else None


def _judged(
    one: Watch, cause: Received[DataIngested], references: Mapping[str, Reference], table: pd.DataFrame
) -> Watched:
    result = Watched(f"{one.version} on {one.days[-1]}", one.version, cause)
    for reason, reference in references.items():
        finding, is_news = one.judge(reason, reference, table)
        if finding is not None:
            result.found[reason] = finding
            if is_news:
                result.complaints.append(one.complaint(reason, finding))
    return result
