"""When a retraining is asked for: decided from what was asked and trained before, for every asker alike.

Everything follows from the entries of two topics, `training` (who asked) and `models` (what was trained), so
that no counter has to be kept, and a slice that is tried again decides the same. A request that is open does
not hold others up: what waits together is answered by one training, which names all their reasons.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple, Protocol, Self

from events.payloads import ModelPromoted, ModelRetrainingTriggered, ModelTrained, Payload

WEEKLY = "weekly_schedule"
NEW_DATA_POINTS = "new_data_points"
SUSTAINED_ERROR = "sustained_error"
DRIFT_FEATURES = "drift_features"
DRIFT_PREDICTIONS = "drift_predictions"

COMPLAINTS = frozenset({SUSTAINED_ERROR, DRIFT_FEATURES, DRIFT_PREDICTIONS})
"""Reasons that say that the version which serves no longer fits the market."""
AUTOMATIC = COMPLAINTS | {WEEKLY, NEW_DATA_POINTS}
"""Reasons of the loop itself, and not of a person."""

COOL_DOWN = 10
"""Sessions after a training that answered a complaint in which nobody complains."""
REMEMBERED = 30
"""Sessions for which a complaint holds up the same one until what it is about was over in between. After them
it is made again, if nothing came of it: nobody has to look back farther."""


class Entry(Protocol):
    """An entry of one of the two topics."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def payload(self) -> Payload: ...  # noqa: D102


class Asked(NamedTuple):
    """A request and its id."""

    id: str
    request: ModelRetrainingTriggered


@dataclass(frozen=True)
class Past:
    """What was asked for and what was trained, as of one moment."""

    asked: tuple[Asked, ...] = ()
    trained: tuple[ModelTrained, ...] = ()
    promoted: tuple[ModelPromoted, ...] = ()

    @classmethod
    def of(cls, training: Iterable[Entry], models: Iterable[Entry]) -> Self:
        """Read the entries of the topics `training` and `models`, each oldest first."""
        said = [entry.payload for entry in models]
        return cls(
            tuple(
                Asked(e.id, e.payload) for e in training if isinstance(e.payload, ModelRetrainingTriggered)
            ),
            tuple(payload for payload in said if isinstance(payload, ModelTrained)),
            tuple(payload for payload in said if isinstance(payload, ModelPromoted)),
        )

    def and_asked(self, event_id: str, request: ModelRetrainingTriggered) -> Self:
        """Give the past in which this was asked for as well."""
        return replace(self, asked=(*self.asked, Asked(event_id, request)))

    @cached_property
    def trained_to(self) -> date:
        """The newest session that any training has seen; `date.min` before the first."""
        return max((end for one in self.trained if (end := one.training_end)), default=date.min)

    def reasons_of(self, training: ModelTrained) -> set[str]:
        """Name the reasons of the requests that a training answered."""
        known = self._reasons
        return {*training.reasons, *(known[one] for one in training.triggers if one in known)}

    @cached_property
    def _reasons(self) -> dict[str, str]:
        return {asked.id: asked.request.reason for asked in self.asked}

    def newest(self, reason: str, version: str | None = None) -> date:
        """Find the newest session that a request for this reason named; `date.min` if none did.

        With `version` only requests about it count, and those that name no version.
        """
        return max((one.data_end_date for one in self._requests(reason, version)), default=date.min)

    def times(self, reason: str, version: str) -> int:
        """Count the requests for a reason about a version."""
        return len(self._requests(reason, version))

    def _requests(self, reason: str, version: str | None) -> list[ModelRetrainingTriggered]:
        requests = [asked.request for asked in self.asked if asked.request.reason == reason]
        return [one for one in requests if version is None or one.model_version in {version, None}]

    def record_of(self, version: str) -> ModelTrained | None:
        """Find what was said of a version when it was trained."""
        return next((one for one in reversed(self.trained) if one.model_version == version), None)

    def term_of(self, version: str) -> date:
        """Give the last session before a version's term: its sessions are those after it.

        A term begins after the version's own training, or with its newest promotion.
        """
        record = self.record_of(version)
        ends = [record.training_end] if record and record.training_end else []
        ends += [
            one.valid_from - timedelta(1)
            for one in self.promoted
            if one.model_version == version and one.valid_from
        ]
        return max(ends, default=date.min)


def counted_from(past: Past) -> date | None:
    """Tell after which session new data points count; None while nobody has asked for anything.

    It is the newest session that a request for new data points named, or that a training saw: whatever it was
    for, but for the weekly one, beside which this rule would never come to its number. Where there is neither
    it is the first session that anything was asked for or trained on.
    """
    points = past.newest(NEW_DATA_POINTS)
    others = [one.training_end for one in past.trained if past.reasons_of(one) != {WEEKLY}]
    newest = max([points, *(end for end in others if end)])
    if newest > date.min:
        return newest
    return min(
        [
            *(one.request.data_end_date for one in past.asked),
            *(one.training_end for one in past.trained if one.training_end),
        ],
        default=None,
    )


def points_due(past: Past, days: Collection[date], day: date, threshold: int) -> int | None:
    """Tell whether session `day` completes `threshold` new sessions; returns how many are new, or None.

    Args:
        past: what was asked and trained.
        days: sessions known when `day` was announced, at least the newest `threshold` up to it.
        day: the session just announced. One that comes late counts with the next.
        threshold: how many sessions make a retraining worth while.
    """
    since = counted_from(past)
    if since is None:
        return None
    count = sum(since < one <= day for one in set(days))
    return count if count >= threshold else None


def nothing_new(past: Past, newest: date) -> bool:
    """Tell whether the weekly training would see no session that one did not see, or was not asked to see."""
    return newest <= max(past.trained_to, past.newest(WEEKLY))


def may_complain(past: Past, reason: str, days: Collection[date], day: date) -> bool:
    """Tell whether a complaint about sessions up to `day` would lead to anything new.

    Not where a training has seen them all, and not within COOL_DOWN sessions after a training that answered a
    complaint, or after the same complaint.

    Args:
        past: what was asked and trained.
        reason: of COMPLAINTS.
        days: sessions, at least the newest COOL_DOWN up to `day`.
        day: the newest session that is complained of.
    """
    answered = [one.training_end for one in past.trained if past.reasons_of(one) & COMPLAINTS]
    since = max([past.newest(reason), *(end for end in answered if end)])
    later = sum(since < one <= day for one in set(days))
    return day > past.trained_to and (since == date.min or later >= COOL_DOWN)


def remembered(days: Collection[date], asked: date) -> bool:
    """Tell whether a complaint about sessions up to `asked` still holds up the same one.

    Args:
        days: sessions, those that are looked back at.
        asked: the newest session that was complained of.
    """
    return any(one <= asked for one in days) and sum(asked < one for one in set(days)) < REMEMBERED


def rearmed(levels: Sequence[float], below: float, sessions: int) -> bool:
    """Tell whether what was complained of was over meanwhile: hysteresis against asking again and again.

    Args:
        levels: one a session since the complaint, oldest first.
        below: the mean over some sessions in a row has to come down to it.
        sessions: how many.
    """
    spans = (levels[start : start + sessions] for start in range(len(levels) - sessions + 1))
    return any(sum(span) <= below * sessions for span in spans)
