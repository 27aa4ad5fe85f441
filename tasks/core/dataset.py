"""Training rows from stored features: what came next, of each symbol and session."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.core.drift_reference import KEPT
from tasks.core.feature_sets import are_of
from tasks.core.training import NotTrainableError
from tasks.core.training_rows import TrainingRows

RETURN = "ret_1"
"""The feature that, one session later, is the target: the reference-adjusted log return of a session."""

KEYS = ("symbol", "date", "feature_set", "last_close", RETURN)
"""Columns of the table that tell what a row is, and what came of the one before."""


class Stored(NamedTuple):
    """What a training takes from stored vectors."""

    known: TrainingRows
    """The rows with a known outcome."""
    newest: TrainingRows
    """All rows, as newer sessions will be looked at, of the newest `KEPT` sessions that have known ones."""


def stored_rows(table: pa.Table, names: Sequence[str], until: date, feature_set: str) -> Stored:
    """Take the rows of a training from stored vectors, without a copy of the features on the way.

    Args:
        table: KEYS and features; a feature without a column is missing everywhere.
        names: Features to take, in this order.
        until: As for `with_target`, which raises too.
        feature_set: As for `with_target`.
    """
    there, absent = set(table.column_names), np.full(table.num_rows, np.nan)
    told = table.select([name for name in KEYS if name in there]).to_pandas(date_as_object=False)
    dated = with_target(told.reindex(columns=list(KEYS)), until, feature_set)
    dated = dated.drop(columns=["feature_set", RETURN])

    def gathered(keys: pd.DataFrame) -> TrainingRows:
        return TrainingRows.gathered(
            keys, names, lambda name: table[name].to_numpy() if name in there else absent
        )

    known = dated[dated["target"].notna()]
    days = np.sort(known["date"].unique())[-KEPT:]
    return Stored(gathered(known), gathered(dated[dated["date"].isin(days)]))


def with_target(frame: pd.DataFrame, until: date, feature_set: str) -> pd.DataFrame:
    """Add target_date and target: the next market session and the symbol's log return in it.

    Args:
        frame: `KEYS`, one row a symbol and session; n rows.
        until: sessions after it are left out, as features and as outcomes.
        feature_set: rows of another one tell only that their session was held.

    Returns:
        The rows of the feature set up to `until`, labelled as they were, with `target_date` (NaT for the last
        session) and `target` (NaN where the symbol did not trade in the next session, or moved more than
        trading can).

    Raises:
        NotTrainableError: there are rows, and all of them are of other feature sets.
    """
    known = frame[frame["date"] <= pd.Timestamp(until)]
    following = dict(pairwise(sorted(known["date"].unique())))
    rows = known[are_of(known["feature_set"], feature_set)]
    if rows.empty and not known.empty:
        message = f"no stored vector is of feature set {feature_set}: run nepse backfill with --force first"
        raise NotTrainableError(message)
    outcomes = rows[["symbol", "date", RETURN]].rename(columns={"date": "target_date", RETURN: "target"})
    after = rows["date"].map(following).astype(rows["date"].dtype)  # of one session: no dates at all
    dated = rows.assign(target_date=after)
    found = dated.merge(outcomes, on=["symbol", "target_date"], how="left").astype({"target": np.float64})
    return found.set_axis(dated.index)
