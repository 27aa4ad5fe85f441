"""The obvious way: `groupby("symbol").apply`, each feature of a symbol with pandas' shift, rolling and ewm.

What needs the other symbols is left out. Which features are computed is read from the feature table: one that
has neither a formula in `obvious` nor a place in `APART` ends the benchmark, so that it is not forgotten.
"""

import re

import pandas as pd

from bench.obvious import PEERS, Peer

APART = re.compile(
    r"mkt_\w+|beta_\d+|corr_\d+|own_vol_\d+|surprise_\d+|rel_\w+|rank_\w+|peer_\w+"
    r"|weekday|day_of_month|month|days_closed|listing_age|debenture|gap_sessions|traded_share_\d+"
)
"""Features of several symbols together, or of the market's calendar: the obvious way is spared them."""

Numbers = tuple[int, ...]
"""The numbers in a feature's name."""


def peers_of(names: list[str]) -> dict[str, tuple[Peer, Numbers]]:
    """Find the formula, and its numbers, of every feature that one symbol's rows suffice for.

    Raises:
        SystemExit: a feature has none, or two.
    """
    found: dict[str, tuple[Peer, Numbers]] = {}
    for name in names:
        hits = [(one, hit) for one in PEERS if (hit := re.fullmatch(one.names, name))]
        if len(hits) + bool(APART.fullmatch(name)) != 1:
            message = f"bench/obvious.py has {len(hits)} formulas for {name}: it needs one, or APART"
            raise SystemExit(message)
        for one, hit in hits:
            found[name] = one, tuple(map(int, hit.groups()))
    return found


def compute(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Compute features of each symbol in turn.

    Args:
        rows: A price table, by symbol and date.
        names: Features; those of `APART` are left out.

    Returns:
        One row a symbol and session, indexed by both, one column a feature.
    """
    wanted = peers_of(names)

    def of_one_symbol(f: pd.DataFrame) -> pd.DataFrame:
        columns = {name: peer.column(f, *numbers) for name, (peer, numbers) in wanted.items()}
        return pd.DataFrame({"date": f.date, **columns})

    found: pd.DataFrame = rows.groupby("symbol").apply(of_one_symbol)
    return found.set_index("date", append=True).droplevel(1)


def sample(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    """Keep every n-th symbol, by length of history, so that rows and symbols shrink alike."""
    lengths = rows["symbol"].value_counts()
    ordered = sorted(lengths.index, key=lambda symbol: (-lengths[symbol], symbol))
    return rows[rows["symbol"].isin(ordered[step // 2 :: step])].reset_index(drop=True)
