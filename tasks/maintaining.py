"""Maintenance of the feature table beside the loop: trained models decide which versions have to stay."""

from datetime import timedelta

from events.payloads import ModelTrained
from infra.bootstrap import Loop
from infra.errors import ReplanError
from infra.feature_upkeep import Upkeep
from infra.running import wait

ATTEMPTS = 10
PAUSE_SECONDS = 0.25


def maintain_features(loop: Loop, keep: timedelta) -> Upkeep:
    """Maintain the feature table; every version that a training read stays readable for ever.

    Raises:
        ReplanError: a projector committed at the same time, again and again.
        TryAgainError: broker or store away.
    """
    pinned = pinned_versions(loop)
    for _ in range(ATTEMPTS - 1):
        try:
            return loop.feature_table.maintain(keep, pinned)
        except ReplanError:
            if wait(PAUSE_SECONDS):
                raise
    return loop.feature_table.maintain(keep, pinned)


def pinned_versions(loop: Loop) -> set[int]:
    """List the versions of the feature table that models were trained on, by the models topic."""
    entries = loop.models.between(0, loop.models.refresh())
    trained = [entry.payload for entry in entries if isinstance(entry.payload, ModelTrained)]
    return {one.data_version for one in trained if one.data_version is not None}
