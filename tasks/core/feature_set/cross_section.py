"""A symbol among those that traded in the same session: ranks, shares of them, its peers."""

from tasks.core.across import Across, Column
from tasks.core.feature_set.entry import Feature, feature, grouped


def _rank(name: str, of: str, window: int, minimum: int | None = None) -> Feature:
    """Declare the rank of another feature."""
    formula = f"rank of {of} in the session, 0 (exclusive) to 1, equals share their mean"
    return feature(name, formula, window, "1", lambda across: across.rank(of), minimum)


def _share(name: str, of: str, meaning: str, window: int) -> Feature:
    """Declare the share of the session's symbols whose feature is above 0."""
    formula = f"share of the session's symbols {meaning}"
    return feature(name, formula, window, "1", lambda across: across.share_above(of), minimum=1)


def _peers(across: Across, back: int) -> Column:
    return across.peers[back]


RANKS = grouped(
    "ranks",
    _rank("rank_ret_1", "ret_1", 2),
    _rank("rank_ret_5", "ret_5", 6),
    _rank("rank_ret_20", "ret_20", 21),
    _rank("rank_ret_60", "ret_60", 61),
    _rank("rank_vol_20", "vol_20", 21),
    _rank("rank_turnover", "turnover_log", 1),
    _rank("rank_turnover_ratio_20", "turnover_ratio_20", 20),
    _rank("rank_illiquidity_20", "illiquidity_20", 21),
    _rank("rank_vwap_gap", "vwap_gap", 1),
    _rank("rank_range_1", "range_1", 1),
    _rank("rank_sma_gap_20", "sma_gap_20", 20),
    _rank("rank_high_60", "high_60", 60),
    _share("mkt_above_sma_20", "sma_gap_20", "that closed above their mean of 20 sessions", 20),
    _share("mkt_above_sma_60", "sma_gap_60", "that closed above their mean of 60 sessions", 60),
)

PEERS = grouped(
    "peers",
    feature(
        "peer_ret_1",
        "mean over the other symbols of correlation_60 x ret_1: what similar symbols did",
        61,
        "log",
        lambda across: _peers(across, 0),
    ),
    feature(
        "peer_ret_1_lag1",
        "mean over the other symbols of correlation_60 x their return 1 session ago",
        61,
        "log",
        lambda across: _peers(across, 1),
    ),
)
