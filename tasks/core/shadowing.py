"""Two versions on the same live days: what each said of a close, and which was nearer."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from tasks.core.offices import PERSISTENCE
from tasks.core.promotion import ALPHA, MIN_SESSIONS
from tasks.core.skill import PairedTest, Vector, diebold_mariano, hit_rate, mae, rank_ic, rmse
from tasks.core.training import BAND

SAID = ("symbol", "as_of", "version", "revision", "retracted", "predicted", "last_close")
CLOSES = ("symbol", "as_of", "revision", "retracted", "actual")
_VECTOR = ["symbol", "as_of"]


@dataclass(frozen=True)
class Comparison:
    """Two versions, and persistence, on the same pairs; `test.mean` > 0 where the first was nearer."""

    first: str
    second: str
    pairs: int
    sessions: int
    since: date | None
    """The session before the first one that both predicted."""
    until: date | None
    corporate_actions: int
    """Pairs left out: the close moved more than a session allows."""
    figures: dict[str, dict[str, float]]
    """By version: rmse_return, mae_return, rmse, mae (rupees), hit_rate, rank_ic; where defined."""
    test: PairedTest | None
    verdict: str


def paired(said: pd.DataFrame, closes: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Put what two versions said of the same close side by side.

    Args:
        said: columns SAID, in the order in which it was said, served or in shadow, of all versions (prices
            in rupees); `as_of` is the session whose close was known.
        closes: columns CLOSES in the same order: the close (rupees) that became of it.
        first: version.
        second: version; `v0` says the last close.

    Returns:
        A row a symbol and session: symbol, as_of, last_close, actual, first, second (rupees). The newest
        revision of each counts; a session that was taken back, by whichever version, does not, nor one that
        the two saw with different closes.
    """
    held, known = _standing(said), _newest(closes)
    one = _of(held, first).rename(columns={"predicted": "first"})
    other = _of(held, second).rename(columns={"predicted": "second"})
    both = one.merge(other, on=[*_VECTOR, "last_close"])
    known = known.loc[~known["retracted"].astype(bool), [*_VECTOR, "actual"]]
    prices = ["last_close", "actual", "first", "second"]
    found = both.merge(known, on=_VECTOR)[[*_VECTOR, *prices]]
    return found.astype(dict.fromkeys(prices, "float64")).sort_values(["as_of", "symbol"], ignore_index=True)


def _newest(rows: pd.DataFrame, *also: str) -> pd.DataFrame:
    """Keep the newest revision of each session (and version), the last of equal ones."""
    ordered = rows.sort_values("revision", kind="stable")
    return ordered.drop_duplicates([*_VECTOR, *also], keep="last")


def _standing(said: pd.DataFrame) -> pd.DataFrame:
    """Keep what was not taken back: whoever takes back a session means all that was said of it before."""
    back = said[said["retracted"].astype(bool)]
    gone = back.groupby(_VECTOR)["revision"].max().rename("gone").reset_index()
    told = said.merge(gone, on=_VECTOR, how="left")
    kept = told[~told["retracted"].astype(bool) & ~(told["revision"] <= told["gone"])]
    return _newest(kept.drop(columns="gone"), "version")


def _of(held: pd.DataFrame, version: str) -> pd.DataFrame:
    columns = [*_VECTOR, "predicted", "last_close"]
    if version == PERSISTENCE:
        known = _newest(held[held["last_close"].notna()])
        return known.assign(predicted=known["last_close"])[columns]
    return held.loc[held["version"] == version, columns]


def compare(pairs: pd.DataFrame, first: str, second: str) -> Comparison:
    """Judge two versions on what `paired` found, by squared errors of returns, session by session.

    Returns are logarithms of closes over the last close; the test is `diebold_mariano` on session means.
    """
    moved = _returns(pairs, "actual")
    clean = pairs[(moved >= BAND[0]) & (moved <= BAND[1])]
    means = _session_losses(clean)
    test = diebold_mariano(*means) if len(means[0]) >= MIN_SESSIONS else None
    named = {first: "first", second: "second", PERSISTENCE: "last_close"}
    figures = {version: _figures(clean, column) for version, column in named.items()}
    return Comparison(
        first=first,
        second=second,
        pairs=len(clean),
        sessions=len(means[0]),
        since=_day(clean["as_of"].min()),
        until=_day(clean["as_of"].max()),
        corporate_actions=len(pairs) - len(clean),
        figures=figures,
        test=test,
        verdict=_verdict(first, second, means, test),
    )


def _returns(pairs: pd.DataFrame, name: str) -> Vector:
    """Logarithm of a price over the last close, shape (n,)."""
    prices, last = (pairs[column].to_numpy(dtype=np.float64) for column in (name, "last_close"))
    return np.asarray(np.log(prices / last), dtype=np.float64)


def _session_losses(pairs: pd.DataFrame) -> tuple[Vector, Vector]:
    """Mean squared error of each version's returns, a value a session."""
    actual = _returns(pairs, "actual")
    losses = {name: (actual - _returns(pairs, name)) ** 2 for name in ("first", "second")}
    means = pd.DataFrame(losses).groupby(pairs["as_of"].to_numpy()).mean()
    first, second = (means[name].to_numpy(dtype=np.float64) for name in losses)
    return first, second


def _figures(pairs: pd.DataFrame, name: str) -> dict[str, float]:
    if pairs.empty:
        return {}
    actual, said = (pairs[column].to_numpy(dtype=np.float64) for column in ("actual", name))
    moved, expected = _returns(pairs, "actual"), _returns(pairs, name)
    found = {
        "rmse_return": rmse(moved, expected),
        "mae_return": mae(moved, expected),
        "rmse": rmse(actual, said),
        "mae": mae(actual, said),
        "hit_rate": hit_rate(moved, expected),
        "rank_ic": rank_ic(pairs["as_of"], moved, expected),
    }
    return {measure: round(value, 6) for measure, value in found.items() if np.isfinite(value)}


def _verdict(first: str, second: str, means: tuple[Vector, Vector], test: PairedTest | None) -> str:
    sessions = len(means[0])
    if test is None:
        return f"nothing can be said: {sessions} sessions that both predicted, {MIN_SESSIONS} are the least"
    other = float(means[1].mean())
    gain = test.mean / other if other else 0.0
    word = "lower" if gain >= 0 else "higher"
    figures = f"squared error {abs(gain):.1%} {word} (t {test.statistic:.2f}, p {test.p_value:.3f})"
    if test.p_value < ALPHA:
        told = f"{first} is better than {second}"
    elif 1 - test.p_value < ALPHA:
        told = f"{first} is worse than {second}"
    else:
        told = f"no clear difference between {first} and {second}"
    return f"{told} on {sessions} sessions at {ALPHA:.0%}: {figures}"


def _day(moment: object) -> date | None:
    return None if pd.isna(moment) else pd.Timestamp(moment).date()  # type: ignore[call-overload,arg-type]
