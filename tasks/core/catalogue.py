"""The features in the order of their columns: what research found to gain most comes first."""

from tasks.core.feature_set.calendar_effects import CALENDAR
from tasks.core.feature_set.cross_section import PEERS, RANKS
from tasks.core.feature_set.entry import Feature
from tasks.core.feature_set.learned import NAMES
from tasks.core.feature_set.liquidity import LIQUIDITY
from tasks.core.feature_set.market_context import MARKET, RELATIVE
from tasks.core.feature_set.path import AVERAGES, DISTRIBUTION, EXTREMES, RETURNS
from tasks.core.feature_set.session import SESSION
from tasks.core.feature_set.textbook import INDICATORS

__all__ = ["ACROSS", "FEATURE_TABLE", "LEARNED", "OWN", "Feature"]

ACROSS: tuple[Feature, ...] = (*RANKS, *PEERS)
"""Features that compare the symbols of a session: computed last, from the others."""

OWN: tuple[Feature, ...] = (
    *(*MARKET, *RELATIVE),
    *INDICATORS,
    *(*RETURNS, *DISTRIBUTION, *AVERAGES, *EXTREMES),
    *(*LIQUIDITY, *SESSION, *CALENDAR),
)
"""Features of one symbol beside the market."""

FEATURE_TABLE: tuple[Feature, ...] = (*OWN, *ACROSS)
"""All features, in the order of the columns."""

LEARNED: tuple[str, ...] = tuple(entry.name for entry in FEATURE_TABLE if entry.name in NAMES)
"""Features that models learn from, in the order of the columns."""
