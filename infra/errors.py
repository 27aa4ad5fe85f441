"""Failures, named for the decision that the caller must make."""

from typing import Any


class LoopError(Exception):
    """Base of our failures; the message is one sentence and says what to do."""


class TryAgainError(LoopError):
    """Something outside is away or busy (broker, store, database, registry): wait and try again."""


class RejectError(LoopError):
    """This record can't be processed, now or later: make it a dead letter with this reason."""


class StopError(LoopError):
    """Going on would lose or double records: stop, a person has to decide."""


class SupersededError(LoopError):
    """A newer process took over this work: end quietly."""


class ReplanError(LoopError):
    """The slice no longer starts where the group's progress is: plan it again."""


class UnstableError(TryAgainError):
    """A transaction that is open holds a group's progress back: of a live process, or of one that died."""


class OutcomeUnknownError(LoopError):
    """A commit was sent and its answer never came: the next attempt finds out."""


class UsageError(LoopError):
    """The person at the terminal asked for something impossible."""


class StackError(LoopError):
    """The local servers can't start or are not running: mend what the message names."""


class UnsoundError(LoopError):
    """A check of what is stored found faults: a person has to look; `report` holds them as JSON types."""

    def __init__(self, message: str, report: dict[str, Any]) -> None:
        """Keep the whole report beside the sentence."""
        super().__init__(message)
        self.report = report
