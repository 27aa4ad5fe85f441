"""Benchmark of the join: ours, the chapter's and Quix Streams', on one broker and the same events.

The answers are compared before time is told.
"""

import json
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from sqlalchemy import text

from bench import feed
from bench.processes import run, say
from infra.database.connection import engine
from infra.settings import Settings

HERE = Path(__file__).parent
OWN_PYTHON = HERE / ".venv" / "bin" / "python"
SECONDS = 1_800
TAIL_PAIRS = 20_000
SMALL_SLICES = 100
GRACE_DAYS = "30"
"""How long Quix keeps a side, in days of the events; more than the lag, or it would miss pairs."""
KILL_AFTER_SLICES = 2


@dataclass
class Figures:
    """What was measured; `joins` by name, each with records, seconds and errors."""

    pairs: int
    slice_records: int
    joins: dict[str, dict[str, Any]] = field(default_factory=dict)
    restart: dict[str, Any] = field(default_factory=dict)
    one_record: dict[str, float] = field(default_factory=dict)
    """Milliseconds of each part of the join in a slice of one record."""
    events: dict[str, float] = field(default_factory=dict)
    """Microseconds that reading or writing an event takes."""
    overhead: dict[str, dict[str, float]] = field(default_factory=dict)
    """Milliseconds of each part of a slice that computes nothing, the first of a process and warm."""


def measure(settings: Settings, figures: Figures, sample: int, *, with_quix: bool) -> None:
    """Feed once, then let one join after the other work on it."""
    sizes, lonely = feed.Sizes(figures.pairs + TAIL_PAIRS), set[Any]()
    events, wanted = feed.history(sizes), feed.expected(sizes)
    create_topics(settings)
    say(f"feeding {2 * figures.pairs:,} events")
    complete = feed.publish(settings, islice(events, 2 * figures.pairs), lonely)
    command = [sys.executable, "-m", "bench.chapter", settings.bootstrap, str(sample)]
    figures.joins["chapter"] = measured("chapter", command)
    compare("chapter", read(settings, "bench-chapter"), wanted, figures.joins["chapter"]["errors"])
    figures.joins["ours"] = measured("ours", ours(settings, figures.slice_records))
    compare("ours", read(settings, "errors"), wanted, complete)
    if with_quix:
        command = [str(OWN_PYTHON), str(HERE / "quix.py"), settings.bootstrap, str(settings.home / "quix")]
        figures.joins["quix"] = measured("quix", [*command, GRACE_DAYS])
        compare("quix", read(settings, "bench-quix"), wanted, complete)
    feed.publish(settings, events, lonely)
    small = measured("ours, a record a slice", ours(settings, 1, "--slices", str(SMALL_SLICES)))
    figures.one_record = {part: seconds / SMALL_SLICES * 1000 for part, seconds in small["spent"].items()}
    kill_and_go_on(settings, figures)
    compare("ours, after kill -9", read(settings, "errors"), wanted, len(wanted))


def make_environment() -> None:
    """Make the environment of what is not ours, once."""
    if not OWN_PYTHON.exists():
        say("making bench/.venv")
        venv.create(HERE / ".venv", with_pip=True)
        pip = [str(OWN_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=True, timeout=SECONDS)


def create_topics(settings: Settings) -> None:
    """Make the topics that the other joins write to."""
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    names = ("bench-chapter", "bench-quix")
    admin.create_topics([NewTopic(name, settings.partitions, 1) for name in names])
    admin.close()


def ours(settings: Settings, slice_records: int, *more: str) -> list[str]:
    """Give the command of our join."""
    command = [sys.executable, "-m", "bench.ours", str(settings.home)]
    return [*command, "--slice-records", str(slice_records), *more]


def measured(name: str, command: list[str]) -> dict[str, Any]:
    """Run a join in a process of its own; returns what it says last."""
    say(f"joining: {name}")
    found: dict[str, Any] = json.loads(run(command, within=SECONDS).words.splitlines()[-1])
    say(f"  {found['records'] / found['seconds']:,.0f} records/s")
    return found


def read(settings: Settings, topic: str) -> Iterator[bytes]:
    """Read the committed values of a topic, all partitions."""
    consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap, isolation_level="read_committed")
    spots = [TopicPartition(topic, number) for number in range(settings.partitions)]
    consumer.assign(spots)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(spots)
    while any(consumer.position(spot) < ends[spot] for spot in spots):
        for batch in consumer.poll(timeout_ms=500).values():
            yield from (record.value for record in batch)
    consumer.close()


def compare(name: str, values: Iterator[bytes], wanted: dict[Any, Any], number: int) -> None:
    """Require that every error is there once, and right.

    Raises:
        SystemExit: one is missing, doubled or wrong; then no time is worth telling.
    """
    found = feed.answers(values)
    wrong = [key for key, answer in found if wanted.get(key) != answer]
    different = len({key for key, _ in found})
    if wrong or different != len(found) or len(found) != number:
        message = f"{name}: {len(found)} errors, {different} different, {len(wrong)} wrong; expected {number}"
        raise SystemExit(message)
    say(f"  {len(found):,} errors, each once and right")


def kill_and_go_on(settings: Settings, figures: Figures) -> None:
    """Kill our join with -9 while it works on what came later; then see how soon it joins again."""
    say("killing the join with -9, and starting it again")
    command = ours(settings, figures.slice_records // 10)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101
    for line in islice(process.stdout, KILL_AFTER_SLICES):
        say(f"  {line.strip()}")
    time.sleep(0.05)  # so that it dies in the middle of a slice, not between two
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    tables = ("join_predictions", "join_actuals")
    with engine(settings).connect() as connection:
        rows = sum(connection.scalar(text(f"SELECT count(*) FROM private.{t}")) or 0 for t in tables)  # noqa: S608
    figures.restart = {"rows": rows, "first": lines[0]["seconds"], "errors": lines[-1]["errors"]}
