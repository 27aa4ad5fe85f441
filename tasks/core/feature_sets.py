"""Which feature set a vector or a model is of: equal names do not mean equal formulas."""

import pandas as pd

FIRST_SET = "1"
"""The set of what names none: events and models from before sets were told, which knew only this one."""


def set_of(told: str | None) -> str:
    """Name the feature set of a vector or a model by what it tells of it."""
    return FIRST_SET if told is None else told


def are_of(told: "pd.Series[str]", feature_set: str) -> "pd.Series[bool]":
    """Tell of each of n rows whether it is of a feature set; null as in `set_of`."""
    return told.fillna(FIRST_SET) == feature_set
