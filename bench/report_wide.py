"""The wide market's part of the page."""

from importlib.metadata import version

from bench.report import Target, machine, rows
from bench.report_backfill import row
from bench.wide import Figures
from infra.stack.jars import KAFKA_VERSION

TARGETS = (
    Target("symbol-sessions a second, raw data to committed features", 3_000, "{:,.0f}"),
    Target("MB of memory held by a command of ours", 2_500, "{:,.0f}", most=True),
)
HEAD = """\
## A market of {copies} times the symbols

{source}, every symbol {copies} times under names of their own: {rows:,} rows of {symbols:,} symbols
in {sessions:,} sessions, ingested as one price table, then filled by `nepse backfill --from --to`, then
projected into the feature table, on a stack of its own. As before, nobody predicts or joins beside it; the
table has a row for every vector that was published; only then is time told.

| step | events or rows | seconds | a second | most memory, MB |
|---|---|---|---|---|
"""


def part(figures: Figures) -> str:
    """Write the part."""
    source = str(figures.market["source"])
    text = HEAD.format(**figures.market | {"source": source[:1].upper() + source[1:]})
    text += row("ingest the price table", figures.market["rows"], figures.ingest)
    text += row("backfill: raw data to committed features", figures.backfill["vectors"], figures.backfill)
    text += row("fill the feature table (Delta on S3)", figures.table["rows"], figures.table) + "\n"
    versions = (f"kafka-python {version('kafka-python')}", f"Apache Kafka {KAFKA_VERSION}")
    return (
        text + rows(TARGETS, reached(figures)) + machine("shared by all servers and the command", *versions)
    )


def reached(figures: Figures) -> list[float | None]:
    """Give the figures of TARGETS."""
    steps = (figures.ingest, figures.backfill, figures.table)
    return [figures.backfill["vectors"] / figures.backfill["seconds"], max(one["peak"] for one in steps)]
