"""Two versions on the days that both predicted, from the read side; nothing is changed."""

from dataclasses import asdict
from datetime import date
from typing import Any

import pandas as pd

from infra.database import compared, connection, projected
from infra.errors import RejectError, UsageError
from infra.kafka import scanning
from infra.settings import Settings
from tasks.core.lineage import behind
from tasks.core.offices import PERSISTENCE, Offices
from tasks.core.shadowing import CLOSES, SAID, Comparison, compare, paired
from tasks.core.versions import why_unknown
from tasks.projections import READ_SIDE
from tasks.versions import offices_now

READ = ("predictions", "shadows", "errors")


def compare_live(settings: Settings, first: str | None, second: str | None) -> dict[str, Any]:
    """Compare two versions on the sessions that neither has seen; the challenger and the champion by default.

    Raises:
        UsageError: it is not clear which two.
        RejectError: nobody trained one of them.
        TryAgainError: broker or database away.
    """
    offices = offices_now(settings)
    names = chosen(offices, first, second)
    after = _unseen_after(offices, names)
    connection.create(settings)
    lag = _behind(settings)
    engine = connection.engine(settings)
    said = pd.DataFrame(compared.said(engine, after), columns=list(SAID))
    closes = pd.DataFrame(compared.closes(engine, after), columns=list(CLOSES))
    found = compare(paired(said, closes, *names), *names)
    return as_dict(found) | {"read_side_behind": lag}


def chosen(offices: Offices, first: str | None, second: str | None) -> tuple[str, str]:
    """Name the versions that are meant.

    Raises:
        UsageError: nobody waits, or both are the same.
        RejectError: nobody trained one of them.
    """
    waiting = offices.challenger()
    one = first or (waiting.version if waiting else None)
    if one is None:
        message = "no version waits for its turn: name two, as in 'nepse models compare v2 v1'"
        raise UsageError(message)
    other = second or offices.champion.version
    if one == other:
        message = f"{one} serves: name another version to compare it with, see 'nepse models list'"
        raise UsageError(message)
    for name in (one, other):
        if name != PERSISTENCE and offices.newest(name) is None:
            raise RejectError(why_unknown(offices, name))
    return one, other


def _unseen_after(offices: Offices, names: tuple[str, str]) -> date:
    """Name the last session that one of the versions may have seen."""
    ends = [named.trained.training_end for name in names if (named := offices.newest(name))]
    return max((end for end in ends if end is not None), default=date.min)


def _behind(settings: Settings) -> dict[str, int]:
    """Tell by how much the read side lags on what is compared."""
    spots = scanning.spots_of(settings, READ)
    with scanning.reader(settings) as looking:
        ends = scanning.ends(looking, spots)
    return behind(projected.positions(connection.engine(settings), READ_SIDE, ends), ends)


def as_dict(found: Comparison) -> dict[str, Any]:
    """Give a comparison as JSON types."""
    days = {name: str(day) if (day := getattr(found, name)) else None for name in ("since", "until")}
    return asdict(found) | days
