"""The part of the page about readers of the API."""

from importlib.metadata import version

from bench.readers import Figures
from bench.report import Target, machine, rows

_SLOWEST = "milliseconds until 95 % of the slowest endpoint's answers are there"
TARGETS = (Target(_SLOWEST, 50, "{:.1f}", most=True),)
HEAD = """\
## Readers

{readers:,} readers with a request a second each for {seconds:.0f} s, of a read side with {sessions} sessions
of {symbols} symbols ({rows:,} predictions, closes and errors), on a Postgres and an API of their own. An
error was projected once a second ({news} in all), so that answers about errors are made anew each second; a
reader sends the ETag back where it has one. Lineages and commands are not among the endpoints. Times are the
readers' own.

| endpoint | answers | of them 304 | p50 ms | p95 ms | p99 ms | kB |
|---|---|---|---|---|---|---|
"""
KILO = 1e3


def part(figures: Figures) -> str:
    """Write the part."""
    text = HEAD.format(rows=figures.rows, news=figures.news, **figures.sizes)
    for name, one in figures.answers.items():
        times = " | ".join(f"{one[level]:.1f}" for level in ("p50", "p95", "p99"))
        text += f"| {name} | {one['count']:,} | {one['kept']:,} | {times} | {one['bytes'] / KILO:.1f} |\n"
    text += "\n| process | share of one processor |\n|---|---|\n"
    text += "".join(f"| {name} | {share:.0%} |\n" for name, share in figures.cpu.items())
    shared = machine("shared by all processes, the readers among them", f"uvicorn {version('uvicorn')}")
    return text + "\n" + rows(TARGETS, reached(figures)) + shared


def reached(figures: Figures) -> list[float | None]:
    """Give the figures of TARGETS."""
    return [max(one["p95"] for one in figures.answers.values())]
