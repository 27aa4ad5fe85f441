"""`python -m bench.drift`: how often two years of the market call for a retraining, how soon a shift does.

Three questions: how many alarms begin on the market as it was; how many shifts of known size, put into it at
dates spread over the years, are found within a week; how many alarms begin in a market whose sessions are
shuffled, in which nothing drifts.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from bench import market, report, report_drift
from bench.drift_changes import CHANGES, Order, Table
from bench.processes import peak, say
from tasks.core import features
from tasks.core.drift import LIMITS, Finding, begins, compare, drifted
from tasks.core.drift_reference import KEPT, WEEK, Reference
from tasks.core.panel import Panel

YEARS = 460
"""Sessions that are judged: two years."""
EVERY = 40
"""Sessions from one injected shift to the next."""
SHUFFLES = 3
MONTH = 20
"""Sessions that stay together where months are shuffled, and from one training to the next."""


@dataclass
class Figures:
    """What was measured, as JSON types."""

    market: dict[str, Any] = field(default_factory=dict)
    real: dict[str, dict[str, Any]] = field(default_factory=dict)
    injected: dict[str, dict[str, Any]] = field(default_factory=dict)
    shuffled: dict[str, dict[str, Any]] = field(default_factory=dict)
    peak: float = 0.0


@dataclass(frozen=True)
class Walk:
    """What was found session after session, the first KEPT ones left out."""

    findings: list[Finding]
    alarms: list[int]
    """Places among them at which one began."""


def walk(table: Table, order: Order, *, answered: bool = False, every: int = 0) -> Walk:
    """Judge session after session; an answered alarm, and every so manieth session, bring a reference."""
    reference, found, alarms, begun = table.reference(order[:KEPT]), list[Finding](), list[int](), 0
    for place in range(KEPT, len(order)):
        week = order[place - WEEK + 1 : place + 1]
        found.append(drifted(compare(reference, *table.rows(week))))
        alarm = begins([one.share for one in found[begun:]])
        if alarm:
            alarms.append(len(found) - 1)
        if (alarm and answered) or (every and len(found) % every == 0):
            reference = table.reference(order[place - KEPT + 1 : place + 1])
            begun = len(found) if answered else begun
    return Walk(found, alarms)


def soon(table: Table, reference: Reference, start: int) -> int | None:
    """Count the sessions of a week until an alarm begins; None where none does."""
    shares = list[float]()
    for number in range(start, start + WEEK):
        week = range(number - WEEK + 1, number + 1)
        shares.append(drifted(compare(reference, *table.rows(week))).share)
        if begins(shares):
            return len(shares)
    return None


def injected(table: Table, panel: Panel) -> dict[str, dict[str, Any]]:
    """Put every change into every EVERYth week, held against the year before it."""
    found = {name: list[int | None]() for name in CHANGES}
    for start in range(KEPT, len(table.days) - WEEK + 1, EVERY):
        say(f"  shifts from {table.days[start]} on")
        reference = table.reference(range(start - KEPT, start))
        for name, change in CHANGES.items():
            changed = table.with_week(start, change(table, panel, start))
            found[name].append(soon(changed, reference, start))
    return {name: _sooner(weeks) for name, weeks in found.items()}


def _sooner(weeks: Sequence[int | None]) -> dict[str, Any]:
    after = [sessions for sessions in weeks if sessions]
    return {"weeks": len(weeks), "found": len(after), "sessions": float(np.mean(after or [0]))}


def shuffled(table: Table, block: int) -> dict[str, Any]:
    """Walk through SHUFFLES orders of blocks of sessions."""
    walks = []
    for seed in range(SHUFFLES):
        blocks = [range(k, min(k + block, len(table.days))) for k in range(0, len(table.days), block)]
        mixed = np.random.default_rng(seed).permutation(len(blocks))
        walks.append(walk(table, [number for place in mixed for number in blocks[place]]))
    return told(walks, table.days)


def told(walks: Sequence[Walk], days: Sequence[date]) -> dict[str, Any]:
    """Sum up: sessions, those in which enough drifted, alarms; of one walk, the days of the alarms too."""
    findings = [finding for one in walks for finding in one.findings]
    figures: dict[str, Any] = {
        "sessions": len(findings),
        "loud": sum(one.share >= LIMITS.share for one in findings),
        "alarms": sum(len(one.alarms) for one in walks),
    }
    if len(walks) == 1:
        [one] = walks
        figures["told"] = [f"{days[KEPT + at]}: {one.findings[at].why()}" for at in one.alarms]
    return figures


def measure(sessions: int) -> Figures:
    """Measure all three on the last so many sessions, and the year before them."""
    found = market.load(sessions + KEPT + features.WINDOW)
    panel = Panel.from_sessions(found.days)
    table = Table.of(panel, panel.dates[-(sessions + KEPT)])
    order = range(len(table.days))
    figures = Figures(
        market={
            "source": found.source,
            "first": str(table.days[KEPT]),
            "last": str(table.days[-1]),
            "sessions": sessions,
            "features": len(table.names),
        }
    )
    policies = {"never": {}, "every month": {"every": MONTH}, "at each alarm": {"answered": True}}
    figures.real = {name: told([walk(table, order, **how)], table.days) for name, how in policies.items()}
    figures.injected = injected(table, panel)
    figures.shuffled = {"sessions": shuffled(table, 1), f"blocks of {MONTH} sessions": shuffled(table, MONTH)}
    figures.peak = peak()
    return figures


def main() -> None:
    """Measure, and write the page where that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift", description=__doc__)
    parser.add_argument("--sessions", type=int, default=YEARS, help="judge the last so many")
    parser.add_argument("--write", action="store_true", help=f"write {report_drift.PAGE.name}")
    options = parser.parse_args()
    figures = measure(options.sessions)
    sys.stdout.write(report_drift.page(figures))
    if options.write:
        report_drift.PAGE.write_text(report_drift.page(figures))
    if short := report.missed(report_drift.TARGETS, report_drift.reached(figures)):
        raise SystemExit("not met: " + "; ".join(short))


if __name__ == "__main__":
    main()
