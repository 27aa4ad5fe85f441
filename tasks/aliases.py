"""MLflow's aliases, for people: they follow what the models topic has decided."""

import logging
from datetime import date

from events.payloads import ModelTrained
from infra.bootstrap import Loop
from infra.errors import TryAgainError
from infra.kafka.records import of_kind
from tasks.serving import PERSISTENCE, model_book

_log = logging.getLogger(__name__)


def align(loop: Loop) -> None:
    """Name in MLflow who serves (`champion`), and the newest version that was trained since (`challenger`).

    Called after the commit that changed it. Where MLflow is away, the next training or promotion does it:
    nobody decides anything by an alias.
    """
    champion, challenger = standing(loop)
    try:
        loop.registry.align(champion, challenger)
    except TryAgainError as error:
        _log.warning("the aliases in MLflow stay behind until the next training or promotion: %s", error)


def in_office(loop: Loop) -> str:
    """Name the version that predicts sessions to come."""
    return model_book(loop).version_for(date.max)


def standing(loop: Loop) -> tuple[str | None, str | None]:
    """Tell who serves, and the newest version trained after it that does not; None where there is nobody."""
    champion = in_office(loop)
    entries = of_kind(loop.models.between(0, loop.models.refresh()), ModelTrained)
    trained = [entry.payload.model_version for entry in entries]
    later = trained[len(trained) - trained[::-1].index(champion) :] if champion in trained else trained
    return None if champion == PERSISTENCE else champion, later[-1] if later else None
