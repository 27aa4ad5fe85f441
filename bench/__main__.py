"""`make bench`: topics beside their peers; each writes its part of docs/reference/benchmarks.md."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

from bench import (
    alerts,
    backfill,
    events,
    features,
    join,
    models,
    readers,
    report,
    report_alerts,
    report_backfill,
    report_features,
    report_join,
    report_models,
    report_readers,
    report_wide,
    wide,
)
from bench.processes import part
from bench.servers import servers
from infra.settings import inherited_environment

SLICES = 100
FULL = 500_000
"""Pairs from which on the join's targets count."""
READERS = 100
"""Readers from which on the API's targets count."""


STORM = 10_000
"""Errors from which on the alerts' targets count."""


class Measured(NamedTuple):
    """A topic's figures, its part of the page, and the targets that it missed."""

    figures: dict[str, Any]
    part: str
    missed: list[str]


def measure_join(options: argparse.Namespace) -> Measured:
    """Measure the join beside others, then what a slice costs."""
    figures = join.Figures(options.pairs, options.slice_records)
    if not options.without_quix:
        join.make_environment()
    figures.events = events.costs()
    with servers("kafka", "postgres") as settings:
        join.measure(settings, figures, options.sample, with_quix=not options.without_quix)
    with servers("kafka", "postgres", "prefect") as settings:
        surroundings = inherited_environment() | settings.environment()
        figures.overhead = part("bench.overhead", settings.home, "--slices", SLICES, environment=surroundings)
    missed = report.missed(report_join.TARGETS, report_join.reached(figures))
    return Measured(asdict(figures), report_join.part(figures), missed if options.pairs >= FULL else [])


def measure_features(options: argparse.Namespace) -> Measured:
    """Measure the feature set beside its peers, and a new session."""
    figures = features.measure(features.Sizes(options.sessions, options.step))
    missed = report.missed(report_features.TARGETS, report_features.reached(figures))
    return Measured(asdict(figures), report_features.part(figures), [] if options.sessions else missed)


def measure_backfill(options: argparse.Namespace) -> Measured:
    """Measure a backfill of everything, and a rebuild of both stores."""
    figures = backfill.measure(options.sessions)
    missed = report.missed(report_backfill.TARGETS, report_backfill.reached(figures))
    return Measured(asdict(figures), report_backfill.part(figures), [] if options.sessions else missed)


def measure_wide(options: argparse.Namespace) -> Measured:
    """Measure ingestion and backfill of a market of ten times the symbols."""
    figures = wide.measure(options.sessions)
    missed = report.missed(report_wide.TARGETS, report_wide.reached(figures))
    return Measured(asdict(figures), report_wide.part(figures), [] if options.sessions else missed)


def measure_alerts(options: argparse.Namespace) -> Measured:
    """Measure from breaches to who is told of them."""
    figures = alerts.measure(alerts.Sizes(options.shocks, options.storm))
    missed = report.missed(report_alerts.TARGETS, report_alerts.reached(figures))
    return Measured(asdict(figures), report_alerts.part(figures), missed if options.storm >= STORM else [])


def measure_models(options: argparse.Namespace) -> Measured:
    """Measure a retraining on everything, a model's way into memory, and a session's predictions."""
    figures = models.measure(options.sessions)
    missed = report.missed(report_models.TARGETS, report_models.reached(figures))
    return Measured(asdict(figures), report_models.part(figures), [] if options.sessions else missed)


def measure_readers(options: argparse.Namespace) -> Measured:
    """Measure how long readers of the API wait."""
    sizes = readers.Sizes(options.readers, options.seconds, options.sessions or readers.SESSIONS)
    figures = readers.measure(sizes)
    missed = report.missed(report_readers.TARGETS, report_readers.reached(figures))
    whole = sizes.readers >= READERS and not options.sessions
    return Measured(asdict(figures), report_readers.part(figures), missed if whole else [])


TOPICS: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "join": measure_join,
    "features": measure_features,
    "backfill": measure_backfill,
    "wide": measure_wide,
    "alerts": measure_alerts,
    "models": measure_models,
    "readers": measure_readers,
}


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"{', '.join(TOPICS)}; all without it")
    parser.add_argument("--pairs", type=int, default=500_000, help="join: predictions, and as many actuals")
    parser.add_argument("--sample", type=int, default=20_000, help="join: messages that the chapter's gets")
    parser.add_argument("--slice-records", type=int, default=20_000, help="join: most records of a slice")
    parser.add_argument("--without-quix", action="store_true", help="join: leave Quix Streams out")
    parser.add_argument("--sessions", type=int, help="all but the join: only the last so many")
    parser.add_argument("--shocks", type=int, default=5, help="alerts: prices that jump, a minute apart")
    parser.add_argument("--storm", type=int, default=STORM, help="alerts: errors at once")
    parser.add_argument("--step", type=int, default=1, help="features: groupby.apply gets every n-th symbol")
    parser.add_argument("--readers", type=int, default=READERS, help="readers: how many ask once a second")
    parser.add_argument("--seconds", type=float, default=60, help="readers: for how long")
    parser.add_argument("--write", action="store_true", help=f"write {report.PAGE.name}")
    return parser


def main() -> None:
    """Measure the topics that are named, one after the other; what is measured is written at once."""
    parser, short = arguments(), list[str]()
    options = parser.parse_args()
    if unknown := sorted(set(options.topics) - set(TOPICS)):
        parser.error(f"no topic is called {', '.join(unknown)}: there are {', '.join(TOPICS)}")
    for topic in options.topics or TOPICS:
        found = TOPICS[topic](options)
        sys.stdout.write(found.part)
        if options.write:
            report.write(topic, found.part, found.figures)
        short += found.missed
    if short:
        raise SystemExit("not met: " + "; ".join(short))


if __name__ == "__main__":
    main()
