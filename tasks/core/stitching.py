"""Frames of features of some symbols each become the frame of all of them."""

from collections.abc import Sequence

import pandas as pd


def stitched(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put parts together in the order of `features.compute`: by date, then symbol. At least one part."""
    whole = pd.concat(list(parts), ignore_index=True)
    return whole.sort_values(["date", "symbol"], kind="stable", ignore_index=True)
