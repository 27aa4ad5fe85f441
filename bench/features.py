"""`python -m bench features`: the full set beside groupby.apply and a bare TA-Lib loop, and a new session.

`python -m bench.features PART` measures one part in this process and says its figures as the last line.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from bench import agreement, bare_talib, groupby, market, ourside
from bench.processes import part, peak, run, say, tell
from tasks.core import features

COPIES = 10
ROUNDS = 3
TOGETHER, SHARED = "together", "shared"
"""All indicators at once; what remains when none is asked for: the path and the frame of the answer."""
YEARS = (10, 30)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    sessions: int | None = None
    """The last so many; all of them without it."""
    step: int = 1
    """groupby.apply gets every n-th symbol."""

    @property
    def full(self) -> bool:
        """Tell whether the targets count."""
        return self.sessions is None


@dataclass
class Figures:
    """What was measured, as JSON types; `whole` and `families` by how often the symbols are repeated."""

    market: dict[str, Any] = field(default_factory=dict)
    agreement: dict[str, list[list[Any]]] = field(default_factory=dict)
    whole: dict[str, dict[str, float]] = field(default_factory=dict)
    groupby: dict[str, float] = field(default_factory=dict)
    families: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, dict[str, float]] = field(default_factory=dict)
    """By years of history."""
    encoding: str = ""
    """Tables of what encoding, rounding and compression bring."""


def measure(sizes: Sizes) -> Figures:
    """Compare answers, then measure every part in a process of its own."""
    figures = Figures()
    few = ["--sessions", sizes.sessions] if sizes.sessions else []
    told = part("bench.features", "agree", "--step", sizes.step, *few)
    figures.market, figures.agreement = told["market"], told["agreement"]
    for copies in ("1", str(COPIES)):
        figures.whole[copies] = part("bench.features", "whole", "--copies", copies, *few)
        figures.families[copies] = part("bench.features", "families", "--copies", copies, *few)
    figures.groupby = part("bench.features", "groupby", "--step", sizes.step, *few)
    for years in YEARS:
        figures.sessions[str(years)] = part("bench.session", years)
    if find_spec("bench.encoding"):
        figures.encoding = run([sys.executable, "-m", "bench.encoding"]).words
    return figures


def agree(options: argparse.Namespace) -> dict[str, Any]:
    """Compare the answers of both peers with ours."""
    found, names = market.load(options.sessions), ourside.names()
    panel = ourside.panel_of(found)
    rows, run = found.rows(), agreement.runs(panel)
    sampled = groupby.sample(rows, options.step)
    same = [name for name, (peer, _) in groupby.peers_of(names).items() if peer.equal]
    ours = features.compute(panel)
    peers = {
        "groupby.apply": groupby.compute(sampled, names)[same],
        "TA-Lib": bare_talib.compute(rows, names),
    }
    told: dict[str, list[agreement.Agreement]] = {}
    for name, peer in peers.items():
        told[name] = agreement.compare(ours, peer, run, ourside.windows())
        agreement.require(name, told[name])
    figures = {
        "source": found.source,
        "rows": len(rows),
        "symbols": len(panel.symbols),
        "sessions": len(panel),
        "features": len(names),
        "set": features.FEATURE_SET,
    }
    return {"market": figures, "agreement": told}


def whole(options: argparse.Namespace) -> dict[str, Any]:
    """Measure our side: the full set over the whole market."""
    panel, laying = _timed(lambda: ourside.panel_of(market.load(options.sessions)))
    rows, seconds = _timed(lambda: ourside.whole(panel, options.copies))
    return {"rows": rows, "seconds": seconds, "reading": laying, "peak": peak()}


def in_groups(options: argparse.Namespace) -> dict[str, Any]:
    """Measure groupby.apply on a sample of the symbols."""
    rows, names = market.load(options.sessions).rows(), ourside.names()
    sampled = groupby.sample(rows, options.step)
    _, seconds = _timed(lambda: groupby.compute(sampled, names))
    figures = {"rows": len(sampled), "of": len(rows), "symbols": sampled["symbol"].nunique()}
    return {**figures, "features": len(groupby.peers_of(names)), "seconds": seconds, "peak": peak()}


def families(options: argparse.Namespace) -> dict[str, Any]:
    """Measure each indicator on both sides, then all of them together; the best of some rounds."""
    found, names = market.load(options.sessions), ourside.names()
    panel, bars = ourside.panel_of(found), _repeated(bare_talib.bars_of(found.rows()), options.copies)
    beside = {one.name: list(bare_talib.features_of(one, names)) for one in bare_talib.INDICATORS}
    everything = {name for wanted in beside.values() for name in wanted}
    sets = {**beside, TOGETHER: sorted(everything), SHARED: []}
    ours = {name: ourside.family(panel, wanted, options.copies, ROUNDS) for name, wanted in sets.items()}
    theirs = {one.name: _looped([one], names, bars) for one in bare_talib.INDICATORS}
    theirs[TOGETHER] = _looped(bare_talib.INDICATORS, names, bars)
    return {"features": beside, "ours": ours, "theirs": theirs, "peak": peak()}


def _repeated(bars: dict[str, bare_talib.Bars], copies: int) -> dict[str, bare_talib.Bars]:
    return {f"{name}~{copy}": one for name, one in bars.items() for copy in range(copies)}


def _looped(
    indicators: Sequence[bare_talib.Indicator], names: list[str], bars: dict[str, bare_talib.Bars]
) -> float:
    def call() -> int:
        return sum(bare_talib.loop(one, names, bars) for one in indicators)

    return min(_timed(call)[1] for _ in range(ROUNDS))


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


PARTS = {"agree": agree, "whole": whole, "groupby": in_groups, "families": families}


def main() -> None:
    """Measure one part in this process."""
    parser = argparse.ArgumentParser(prog="python -m bench.features", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--copies", type=int, default=1, help="how often the symbols are repeated")
    parser.add_argument("--sessions", type=int, help="only the last so many")
    parser.add_argument("--step", type=int, default=1, help="every n-th symbol, of groupby.apply")
    options = parser.parse_args()
    say(f"  {options.part}")
    tell(PARTS[options.part](options))


if __name__ == "__main__":
    main()
