"""What forecasts are worth: errors beside persistence, ranking, direction and intervals, by kinds of rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tasks.core import skill
from tasks.core.feature_set.calendar_effects import DEBENTURE
from tasks.core.grid import BAND
from tasks.core.skill import Vector
from tasks.core.skill_groups import coverage_by

FUND_RUPEES = 25.0
"""Units of mutual funds are issued at 10 rupees, shares at 100."""
CLEAN, ALL = "clean", "all"
THIRDS = ("low", "middle", "high")
FEWEST = 20
"""Sessions below which nothing is told of a group."""


def measures(told: pd.DataFrame) -> dict[str, float]:
    """Measure forecasts against persistence, which says that the close stays.

    Args:
        told: n > 0 rows: date, last_close (rupees), raw (log return of the closes, what came), predicted,
            low_80, high_80, low_95, high_95 (log returns).

    Returns:
        rows, sessions; errors rmse_return, mae_return (log returns), rmse_rupees, mae_rupees, each also with
        `persistence_` before it, and with `skill_`: the share of persistence's that is saved; skill_low and
        skill_high, the bounds (95 %) of skill_rmse_return; rank_ic, rank_ic_t, hit, balanced; dm_t, dm_p;
        coverage and width of the intervals by level.
    """
    raw, predicted = told["raw"].to_numpy(), told["predicted"].to_numpy()
    last = told["last_close"].to_numpy(dtype=float)
    found: dict[str, float] = {"rows": len(told), "sessions": told["date"].nunique()}
    flat, rupees = np.zeros(len(told)), (last * np.exp(raw), last * np.exp(predicted))
    for name, error in (("rmse", skill.rmse), ("mae", skill.mae)):
        found |= _beside(f"{name}_return", error(raw, predicted), error(raw, flat))
        found |= _beside(f"{name}_rupees", error(*rupees), error(rupees[0], last))
    ic, ic_t = skill.ic_t(told["date"], raw, predicted)
    found |= {"rank_ic": ic, "rank_ic_t": ic_t}
    found |= {"hit": skill.hit_rate(raw, predicted), "balanced": skill.balanced_accuracy(raw, predicted)}
    return found | _paired(told["date"], (raw - predicted) ** 2, raw**2) | _intervals(told)


def _beside(name: str, model: float, persistence: float) -> dict[str, float]:
    return {
        name: model,
        f"persistence_{name}": persistence,
        f"skill_{name}": skill.skill_score(model, persistence),
    }


def _paired(sessions: pd.Series, model: Vector, persistence: Vector) -> dict[str, float]:
    """Test mean squared errors of sessions, and bound the skill that the sums of them give."""
    losses = pd.DataFrame({"model": model, "persistence": persistence}).groupby(sessions.to_numpy())
    means, sums = losses.mean().to_numpy(), losses.sum().to_numpy()
    if len(means) < FEWEST:
        return {}
    test = skill.diebold_mariano(means[:, 0], means[:, 1])
    low, high = skill.block_bootstrap(sums, lambda drawn: 1 - np.sqrt(drawn[:, 0] / drawn[:, 1]))
    return {"dm_t": test.statistic, "dm_p": test.p_value, "skill_low": low, "skill_high": high}


def _intervals(told: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    one = pd.Series(0, index=told.index)
    for level in ("80", "95"):
        ends = (told[f"{side}_{level}"].to_numpy() for side in ("low", "high"))
        held = coverage_by(one, told["raw"].to_numpy(), *ends).iloc[0]
        found |= {f"coverage_{level}": float(held["coverage"]), f"width_{level}": float(held["width"])}
    return found


def populations(told: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Cut forecasts into those of clean rows, of all, and the clean ones by instrument and by liquidity.

    Clean: the next close within ±10.5 % of the last, both traded; beyond is a corporate action, not a move.
    Thirds of liquidity are those of the session, by the mean turnover of 20 sessions.
    """
    clean = told[np.abs(np.expm1(told["raw"])) <= BAND]
    yield CLEAN, clean
    yield ALL, told
    for by in (clean["symbol"].map(kinds(told.groupby("symbol")["last_close"].median())), thirds(clean)):
        for group, rows in clean.groupby(by):
            if rows["date"].nunique() >= FEWEST:
                yield str(group), rows


def thirds(told: pd.DataFrame) -> "pd.Series[Any]":
    """Name each row's third of its session by liquidity; missing where that is unknown."""
    place = told.groupby("date")["liquidity"].rank(pct=True)
    third = np.ceil(place * len(THIRDS)).sub(1)
    return third.map({float(k): f"liquidity {name}" for k, name in enumerate(THIRDS)})


def kinds(closes: "pd.Series[float]") -> dict[str, str]:
    """Tell instruments by their symbols and usual prices.

    Debentures end in the years in which they are repaid; promoter shares are named for a share that is there,
    with P or PO behind it; units of funds cost a tenth of a share.

    Args:
        closes: A usual price (rupees) by symbol.
    """
    there = set(closes.index)
    return {symbol: _kind(symbol, close, there) for symbol, close in closes.items()}


def _kind(symbol: str, close: float, there: set[str]) -> str:
    if DEBENTURE.search(symbol):
        return "debentures"
    if any(symbol.endswith(end) and symbol.removesuffix(end) in there for end in ("P", "PO")):
        return "promoter shares"
    return "funds" if close < FUND_RUPEES else "shares"
