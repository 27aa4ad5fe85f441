"""Simulated rows as a reader gives them."""

import pandas as pd

from tasks.core.symbols import canonical
from tasks.core.tidy import tidy


def as_read(rows: pd.DataFrame) -> pd.DataFrame:
    """Spell the symbols of a tidy frame as the readers do; the simulator spells some as vendors do."""
    return tidy(rows.assign(symbol=rows["symbol"].map(canonical)))
