"""Training rows from stored features: what came next, of each symbol and session."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd

RETURN = "ret_1"
"""The feature that, one session later, is the target: the reference-adjusted log return of a session."""


def with_target(frame: pd.DataFrame, until: date) -> pd.DataFrame:
    """Add target_date and target: the next market session and the symbol's log return in it.

    Args:
        frame: symbol, date and features, one row a symbol and session; n rows.
        until: sessions after it are left out, as features and as outcomes.

    Returns:
        The rows up to `until`, with `target_date` (NaT for the last session) and `target` (NaN where the
        symbol did not trade in the next session, or moved more than trading can).
    """
    rows = frame[frame["date"] <= pd.Timestamp(until)]
    days = pd.Index(sorted(rows["date"].unique()))
    following = dict(pairwise(days))
    outcomes = rows[["symbol", "date", RETURN]].rename(columns={"date": "target_date", RETURN: "target"})
    known = rows.assign(target_date=rows["date"].map(following))
    return known.merge(outcomes, on=["symbol", "target_date"], how="left").astype({"target": np.float64})
