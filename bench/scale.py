"""`python -m bench.scale`: what a larger market would need, from the figures that the benchmarks saved.

Everything is in units of a symbol in a session, which is one vector, one prediction, one actual. Workers are
processes on a processor of their own, as fast as those that were measured; these had to share two processors
with the servers, so that the plan errs on the safe side. The formulae are told in docs/explanation/scale.md.
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.report import saved

SYMBOLS, SESSIONS_A_YEAR = 350, 230
PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "scale.md"
BEGIN, END = "<!-- plan -->", "<!-- end of plan -->"
MINUTE, HOUR, GIGABYTE = 60, 3_600, 1e9
HOURS_A_MONTH, MONTHS_A_YEAR = 730, 12


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured costs of one unit."""

    compute: float
    """CPU seconds that a new session's vector takes, its window in memory."""
    backfill: float
    """Seconds that a vector takes from raw data to the committed event, in one process."""
    send: float
    """Of these, seconds that sending takes alone."""
    join: float
    """Seconds that a pair takes in the join, both sides read."""
    rebuild: float
    """Seconds that a vector takes in a rebuild of both stores."""
    event: float
    """Bytes on the broker's disk."""
    row: float
    """Bytes in the feature table."""
    memory: float
    """Bytes that a symbol takes in a process that computes."""

    @classmethod
    def of(cls, figures: dict[str, Any]) -> "Costs":
        """Take them from saved figures.

        Raises:
            SystemExit: a topic was not measured yet.
        """
        if missing := sorted({"join", "features", "backfill"} - set(figures)):
            message = f"not measured yet: python -m bench {' '.join(missing)} --write"
            raise SystemExit(message)
        features, filled, join = figures["features"], figures["backfill"], figures["join"]["joins"]["ours"]
        warm, stores = features["sessions"]["10"], filled["rebuild"].values()
        (few, small), *_, (many, large) = ((int(k), one["peak"]) for k, one in features["whole"].items())
        return cls(
            compute=warm["computed"] / 1000 / warm["vectors"],
            backfill=filled["backfill"]["seconds"] / filled["backfill"]["vectors"],
            send=filled["sending"]["seconds"] / filled["sending"]["events"],
            join=2 * join["seconds"] / join["records"],
            rebuild=sum(one["seconds"] for one in stores) / filled["backfill"]["vectors"],
            event=filled["events"]["bytes_on_disk"],
            row=max(one.get("bytes_a_row", 0.0) for one in stores),
            memory=max(0.0, large - small) * 1e6 / ((many - few) * features["market"]["symbols"]),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """How large the market is, how soon it has to be through, and what things cost (dollars, assumptions)."""

    times: int = 1_000
    minutes: float = 10.0
    years: float = 10.0
    backfill_hours: float = 8.0
    copies: int = 3
    """Of every record, on brokers."""
    worker_bytes: float = 2.5e9
    core_hour: float = 0.05
    disk_month: float = 0.08
    """A gigabyte of the brokers' disks."""
    object_month: float = 0.023
    """A gigabyte of object storage."""


class Need(NamedTuple):
    """One line of the plan: what, how it is computed, how it is written."""

    what: str
    formula: str
    value: Callable[[Costs, Asked], float]
    shape: str = "{:,.0f}"


def session(_: Costs, a: Asked) -> float:
    """Vectors of a session."""
    return float(SYMBOLS * a.times)


def history(c: Costs, a: Asked) -> float:
    """Vectors of the whole history."""
    return session(c, a) * SESSIONS_A_YEAR * a.years


def workers(unit: float, c: Costs, a: Asked) -> float:
    """Processes that bring a session through in half of the time that is allowed; the rest is headroom."""
    return math.ceil(session(c, a) * unit / (a.minutes * MINUTE / 2))


def computing(c: Costs, a: Asked) -> float:
    """Processes that compute and send vectors."""
    return workers(c.compute + c.send, c, a)


def joining(c: Costs, a: Asked) -> float:
    """Processes that join."""
    return workers(c.join, c, a)


def partitions(c: Costs, a: Asked) -> float:
    """Partitions of the topics that are keyed by symbol: a power of two, twice the workers at least."""
    return float(2 ** math.ceil(math.log2(2 * max(2.0, computing(c, a), joining(c, a)))))


def blocks(c: Costs, a: Asked) -> float:
    """Blocks of symbols that a session is computed in."""
    return math.ceil(session(c, a) * c.memory / a.worker_bytes)


def filling(c: Costs, a: Asked) -> float:
    """Processes that fill the whole history in the time that is allowed."""
    return math.ceil(history(c, a) * c.backfill / (a.backfill_hours * HOUR))


def broker_bytes(c: Costs, a: Asked) -> float:
    """Gigabytes that the topic `features` takes for the whole history, all copies."""
    return history(c, a) * c.event * a.copies / GIGABYTE


def table_bytes(c: Costs, a: Asked) -> float:
    """Gigabytes of the feature table for the whole history."""
    return history(c, a) * c.row / GIGABYTE


def cost(c: Costs, a: Asked) -> float:
    """Dollars a month: workers all day long, brokers' disks, objects; a backfill once a month."""
    cores = (computing(c, a) + joining(c, a)) * HOURS_A_MONTH + filling(c, a) * a.backfill_hours
    return cores * a.core_hour + broker_bytes(c, a) * a.disk_month + table_bytes(c, a) * a.object_month


NEEDS = (
    Need("vectors a session", "350 * times", session),
    Need("processes that compute and send", "vectors * (compute + send) / (time / 2)", computing),
    Need("processes that join", "vectors * join / (time / 2)", joining),
    Need("partitions of topics keyed by symbol", "power of two >= 2 * processes", partitions),
    Need("blocks of symbols to compute a session in", "vectors * memory a symbol / memory a process", blocks),
    Need(
        "GB of events a session, one copy",
        "vectors * bytes an event",
        lambda c, a: session(c, a) * c.event / GIGABYTE,
        "{:,.3f}",
    ),
    Need("vectors of the whole history", "vectors * 230 * years", history),
    Need("processes to fill it", "history * backfill / hours allowed", filling),
    Need(
        "hours to rebuild both stores, that many processes",
        "history * rebuild / processes",
        lambda c, a: history(c, a) * c.rebuild / HOUR / filling(c, a),
        "{:,.1f}",
    ),
    Need("GB of `features` on the brokers, all copies", "history * bytes an event * copies", broker_bytes),
    Need("GB of the feature table", "history * bytes a row", table_bytes),
    Need("dollars a month", "cores * hours * price + GB * prices", cost),
)


def plan(costs: Costs, asked: Asked) -> str:
    """Write the plan as a table: the market as it is beside the one that is asked for."""
    now = Asked(**{**_fields(asked), "times": 1})
    text = f"| what | formula | the market as it is | {asked.times:,} times |\n|---|---|---|---|\n"
    for need in NEEDS:
        values = (need.shape.format(need.value(costs, one)) for one in (now, asked))
        text += f"| {need.what} | {need.formula} | {' | '.join(values)} |\n"
    return text


def units(costs: Costs) -> str:
    """Write the measured costs as a table."""
    micro = {name: getattr(costs, name) * 1e6 for name in ("compute", "send", "backfill", "join", "rebuild")}
    text = "| unit | cost |\n|---|---|\n"
    text += "".join(f"| {name} | {value:,.1f} µs |\n" for name, value in micro.items())
    sizes = {"an event": costs.event, "a row": costs.row, "memory a symbol": costs.memory}
    return text + "".join(f"| {name} | {value:,.0f} bytes |\n" for name, value in sizes.items())


def _fields(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in Asked.__dataclass_fields__}


def written(page: str, found: str) -> str:
    """Put the tables between the page's marks.

    Raises:
        SystemExit: the page has no marks.
    """
    head, mark, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (mark and end):
        message = f"{PAGE.name} lacks the marks {BEGIN} and {END}"
        raise SystemExit(message)
    return f"{head}{BEGIN}\n{found}{END}{tail}"


def main() -> None:
    """Print the costs and the plan."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into docs/explanation/{PAGE.name}")
    for name, value in _fields(Asked()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = vars(parser.parse_args())
    write, costs = options.pop("write"), Costs.of(saved())
    found = f"{units(costs)}\n{plan(costs, Asked(**options))}"
    sys.stdout.write(found)
    if write:
        PAGE.write_text(written(PAGE.read_text("utf-8"), found), "utf-8")


if __name__ == "__main__":
    main()
