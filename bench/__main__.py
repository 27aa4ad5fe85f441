"""`make bench`: measures everything and writes docs/reference/benchmarks.md."""

import argparse
import sys

from bench import events, report
from bench.join import Figures, last_words, make_environment, measure, say
from bench.servers import servers
from infra.settings import inherited_environment

SLICES = 100
FULL = 500_000
"""Pairs from which on the targets count."""


def main() -> None:
    """Measure the join beside others, then what a slice costs."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=500_000, help="predictions, and as many actuals")
    parser.add_argument("--sample", type=int, default=20_000, help="messages that the chapter's join gets")
    parser.add_argument("--slice-records", type=int, default=20_000, help="most records of a slice")
    parser.add_argument("--without-quix", action="store_true", help="leave Quix Streams out")
    parser.add_argument("--write", action="store_true", help=f"write {report.PAGE.name}")
    options = parser.parse_args()
    figures = Figures(options.pairs, options.slice_records)
    if not options.without_quix:
        make_environment()
    figures.events = events.costs()
    with servers("kafka", "postgres") as settings:
        measure(settings, figures, options.sample, with_quix=not options.without_quix)
    with servers("kafka", "postgres", "prefect") as settings:
        command = [sys.executable, "-m", "bench.overhead", str(settings.home), "--slices", str(SLICES)]
        say(f"working {SLICES} slices that compute nothing")
        figures.overhead = last_words(command, inherited_environment() | settings.environment())
    page = report.page(figures)
    sys.stdout.write(page)
    if options.write:
        report.PAGE.write_text(page)
    if options.pairs >= FULL and (short := report.missed(figures)):
        raise SystemExit("not met: " + "; ".join(short))


if __name__ == "__main__":
    main()
