"""Training rows from stored features: what came next, of each symbol and session."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd

from tasks.core.feature_sets import are_of
from tasks.core.training import NotTrainableError

RETURN = "ret_1"
"""The feature that, one session later, is the target: the reference-adjusted log return of a session."""


def with_target(frame: pd.DataFrame, until: date, feature_set: str) -> pd.DataFrame:
    """Add target_date and target: the next market session and the symbol's log return in it.

    Args:
        frame: symbol, date, feature_set and features, one row a symbol and session; n rows.
        until: sessions after it are left out, as features and as outcomes.
        feature_set: rows of another one tell only that their session was held.

    Returns:
        The rows of the feature set up to `until`, with `target_date` (NaT for the last session) and `target`
        (NaN where the symbol did not trade in the next session, or moved more than trading can).

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
    return dated.merge(outcomes, on=["symbol", "target_date"], how="left").astype({"target": np.float64})
