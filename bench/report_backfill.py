"""The backfill's part of the page."""

from importlib.metadata import version
from statistics import median
from typing import Any

from bench.backfill import Figures
from bench.report import Target, machine, rows
from infra.stack.jars import KAFKA_VERSION

TARGETS = (
    Target("symbol-sessions a second, raw data to committed features", 3_000, "{:,.0f}"),
    Target("minutes for a backfill of everything and a rebuild of both stores", 10, "{:.1f}", most=True),
    Target("MB of memory held by a command of ours", 2_500, "{:,.0f}", most=True),
)
HEAD = """\
## Backfill

Over {source}: {rows:,} rows in {sessions:,} sessions, ingested, then filled by `nepse backfill --from --to`,
on a stack of its own with real Kafka, S3, Postgres and Prefect on the same processors. Nobody predicts or
joins beside it, so that it never waits for the live loop. The seconds are the whole command's, from the start
of its process; the memory is its process's and its children's together. Then what was committed is read back:
every vector is there once; only then is time told.

| step | events or rows | seconds | a second | most memory, MB |
|---|---|---|---|---|
"""


def part(figures: Figures) -> str:
    """Write the part."""
    text, events = HEAD.format(**figures.market), figures.events
    text += row("ingest the price table", figures.market["rows"], figures.ingest)
    text += row("backfill: raw data to committed features", figures.backfill["vectors"], figures.backfill)
    for store, found in figures.rebuild.items():
        text += row(f"rebuild the {store}", found["rows"], found)
    text += row("backfill once more: nothing is missing", figures.again["vectors"], figures.again)
    for where, found in figures.computing.items():
        text += row(f"compute everything in {where}, publish nothing", found["vectors"], found)
    sending = figures.sending
    text += row(
        f"sending ready-made events alone, {sending['transaction']:,} a transaction",
        sending["events"],
        sending,
    )
    text += (
        f"\nAn event of {events['features']} features has {events['bytes']:,.0f} bytes; on the broker's disk"
    )
    text += f" it takes {events['bytes_on_disk']:,.0f}.\n\n{_beside(figures.beside)}"
    versions = (f"kafka-python {version('kafka-python')}", f"Apache Kafka {KAFKA_VERSION}")
    return (
        text + rows(TARGETS, reached(figures)) + machine("shared by all servers and the command", *versions)
    )


def _beside(found: dict[str, Any]) -> str:
    """Tell how soon a session is predicted, alone and beside a backfill."""
    if not found:
        return ""
    alone, beside = (", ".join(f"{one:.1f}" for one in found[name]) for name in ("alone", "beside"))
    return (
        f"On a whole stack, whose flows predict and join, a session of {found['symbols']:,.0f} symbols has"
        f" its last prediction {median(found['alone']):.1f} s after its announcement, and"
        f" {median(found['beside']):.1f} s"
        f" while a backfill of {found['sessions']} sessions, {found['vectors']:,} vectors, publishes for"
        f" {found['seconds']:.0f} s (medians of {alone}; {beside}).\n\n"
    )


def reached(figures: Figures) -> list[float | None]:
    """Give the figures of TARGETS."""
    steps = [figures.backfill, *figures.rebuild.values()]
    return [
        figures.backfill["vectors"] / figures.backfill["seconds"],
        sum(one["seconds"] for one in steps) / 60,
        max(one["peak"] for one in [figures.ingest, *steps]),
    ]


def row(step: str, number: float, found: dict[str, float]) -> str:
    """Tell of a step: what it worked on, seconds, how many a second, the most memory."""
    speed = f"{number / found['seconds']:,.0f}" if number else ""
    return f"| {step} | {number:,} | {found['seconds']:.1f} | {speed} | {found['peak']:,.0f} |\n"
