"""MLflow's aliases, for people: they follow what the models topic has decided."""

import logging
from datetime import date

from infra.bootstrap import Loop
from infra.errors import RejectError, TryAgainError
from tasks.serving import PERSISTENCE, model_book

_log = logging.getLogger(__name__)


def align(loop: Loop) -> None:
    """Name in MLflow who serves (`champion`), and who is judged beside it (`challenger`).

    Called after the commit that changed it. Where MLflow is away, the next training or promotion does it:
    nobody decides anything by an alias.
    """
    try:
        loop.registry.align(*standing(loop))
    except (TryAgainError, RejectError) as error:  # what was published stands, and must not be repeated
        _log.warning("the aliases in MLflow stay behind until the next training or promotion: %s", error)


def in_office(loop: Loop) -> str:
    """Name the version that predicts sessions to come."""
    return model_book(loop).version_for(date.max)


def standing(loop: Loop) -> tuple[str | None, str | None]:
    """Tell who serves, and whose turn it is to be judged beside it; None where there is nobody."""
    book = model_book(loop)
    champion, waits = book.version_for(date.max), book.offices.challenger()
    return None if champion == PERSISTENCE else champion, waits.version if waits else None
