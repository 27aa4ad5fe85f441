"""The part of the page about alerts."""

from statistics import median

from bench.alerts import Figures
from bench.report import Target, machine, rows
from infra.stack.jars import KAFKA_VERSION

TARGETS = (
    Target("seconds from the close to the alert, at worst", 5, "{:.1f}", most=True),
    Target("seconds from the close to the channel, at worst", 5, "{:.1f}", most=True),
    Target("seconds until a process that stands still is told of", 30, "{:.1f}", most=True),
    Target("messages about a storm of 10,000 errors", 5, "{:.0f}", most=True),
    Target("alerts of that storm on the topic", 20_000, "{:,.0f}"),
)
HEAD = """\
## Alerts

On a stack of its own that joins, judges and tells, with a webhook on the same machine as its only channel. A
shock is a close at ten times the prediction: join, monitor and notify are three runs one after the other. A
process stands still when it gets SIGSTOP while an event waits for it. The storm is {errors:,} errors at once,
each of which breaches two rules; messages are counted for two minutes and more.

| what | seconds |
|---|---|
"""


def part(figures: Figures) -> str:
    """Write the part."""
    text = HEAD.format(errors=int(figures.storm["errors"]))
    for name, what in (("raised", "to the alert"), ("told", "to the channel")):
        found = [one[name] for one in figures.shocks]
        text += f"| from a shock {what}, median of {len(found)} | {median(found):.2f} |\n"
        text += f"| the same at worst | {max(found):.2f} |\n"
    still = figures.standstill
    text += f"| from a standstill to its alert | {still['raised']:.1f} |\n"
    text += f"| from a standstill to the channel | {still['told']:.1f} |\n"
    text += f"| from going on to the alert's end | {still['resolved']:.1f} |\n"
    text += f"| all alerts of the storm on the topic | {figures.storm['seconds']:.1f} |\n\n"
    versions = f"Apache Kafka {KAFKA_VERSION}"
    return text + rows(TARGETS, reached(figures)) + machine("shared by all servers and processes", versions)


def reached(figures: Figures) -> list[float | None]:
    """Give the figures of TARGETS."""
    return [
        max(one["raised"] for one in figures.shocks),
        max(one["told"] for one in figures.shocks),
        figures.standstill["raised"],
        figures.storm["messages"],
        figures.storm["alerts"],
    ]
