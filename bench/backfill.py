"""`python -m bench backfill`: raw sessions to committed FeaturesComputed, then a rebuild of both stores.

It runs as a person runs it: `nepse ingest`, then `nepse backfill --from --to`, on a stack of its own.
`python -m bench.backfill PART HOME` looks at that stack, or takes one step on it.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable
from kafka import KafkaConsumer, TopicPartition

from bench import beside, market
from bench.processes import Ran, part, peak, run, say, tell
from bench.servers import NEPSE, servers
from bench.standin import idle_loop
from events.envelope import decode
from events.payloads import FeaturesComputed
from infra.delta_access import storage_options
from infra.feature_table import FeatureTable
from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.settings import Settings, inherited_environment, load_settings
from tasks.rebuilding import Rebuilt, rebuild_features, rebuild_read_side
from tasks.scaling import LOCAL, LOCAL_WORKERS

PARTS = ("kafka", "s3", "postgres", "prefect", "deploy")
FEATURES, SENDER = "features", "bench-sending"
TRANSACTION, SENDINGS = 5_000, 50_000
"""Events of a transaction, and of the sending alone."""
PLACES = {"this process": (), f"{LOCAL_WORKERS} Dask workers of this machine": ("--dask", LOCAL)}
"""Where a backfill may compute, and how to ask for it."""


@dataclass
class Figures:
    """What was measured, as JSON types."""

    market: dict[str, Any] = field(default_factory=dict)
    ingest: dict[str, float] = field(default_factory=dict)
    backfill: dict[str, float] = field(default_factory=dict)
    again: dict[str, float] = field(default_factory=dict)
    """The same backfill once more, which finds nothing missing."""
    events: dict[str, float] = field(default_factory=dict)
    sending: dict[str, float] = field(default_factory=dict)
    rebuild: dict[str, dict[str, float]] = field(default_factory=dict)
    """By store."""
    computing: dict[str, dict[str, float]] = field(default_factory=dict)
    """Computing everything and publishing nothing, by where."""
    beside: dict[str, Any] = field(default_factory=dict)
    """What `bench.beside` measured."""


def measure(sessions: int | None) -> Figures:
    """Ingest the market, or its last sessions, fill the features, rebuild both stores."""
    figures = Figures()
    with servers(*PARTS) as settings, idle_loop(settings):
        first, last = prepare(settings, figures, sessions)
        figures.ingest = nepse(settings, "ingest", str(table_of(settings))).figures()
        span = ("--from", first, "--to", last)
        filled = nepse(settings, "backfill", *span)
        published = json.loads(filled.words)["published"]
        figures.backfill = filled.figures() | {"vectors": published}
        figures.events = part("bench.backfill", "count", settings.home)
        require(figures.events["different"] == figures.events["events"] == published, figures.events)
        figures.rebuild["read side (Postgres)"] = part("bench.backfill", "read-side", settings.home)
        figures.rebuild["feature table (Delta on S3)"] = part("bench.backfill", "features", settings.home)
        rows = figures.rebuild["feature table (Delta on S3)"]["rows"]
        require(rows == published, figures.rebuild)
        again = nepse(settings, "backfill", *span)
        figures.again = again.figures() | {"vectors": json.loads(again.words)["published"]}
        require(figures.again["vectors"] == 0, figures.again)
        figures.sending = part("bench.backfill", "send", settings.home)
        figures.computing = {where: computing(settings, span, *how) for where, how in PLACES.items()}
    figures.beside = beside.measured(min(sessions or beside.PAST, beside.PAST))
    return figures


def computing(settings: Settings, span: Sequence[str], *how: str) -> dict[str, float]:
    """Compute everything, and publish nothing."""
    done = nepse(settings, "backfill", *span, "--force", "--dry-run", *how)
    return done.figures() | {"vectors": json.loads(done.words)["published"]}


def require(right: bool, found: Any) -> None:
    """Go on only while the answers are right.

    Raises:
        SystemExit: they are not; then no time is worth telling.
    """
    if not right:
        message = f"the backfill's answers are wrong: {found}"
        raise SystemExit(message)


def table_of(settings: Settings) -> Path:
    """Name the price table that is ingested."""
    return settings.home / "history.parquet"


def prepare(settings: Settings, figures: Figures, sessions: int | None) -> tuple[str, str]:
    """Write the market as one price table; tells its first and its last session."""
    found = market.load(sessions)
    rows = found.rows()
    rows.to_parquet(table_of(settings), index=False)
    figures.market = {"source": found.source, "rows": len(rows), "sessions": len(found.days)}
    return str(found.days[0][0]), str(found.days[-1][0])


def nepse(settings: Settings, *arguments: str) -> Ran:
    """Run a command of ours on the stack."""
    say(f"running: nepse {' '.join(arguments)}")
    command = [NEPSE, *arguments, "--json", "--home", str(settings.home)]
    done = run(command, inherited_environment() | settings.environment(), watched=True)
    say(f"  {done.seconds:,.0f} s, {done.peak:,.0f} MB")
    return done


def values(settings: Settings) -> Iterator[tuple[bytes, bytes]]:
    """Read the committed records of `features`: key and value."""
    reader = KafkaConsumer(bootstrap_servers=settings.bootstrap, isolation_level="read_committed")
    spots = [TopicPartition(FEATURES, number) for number in range(settings.partitions)]
    reader.assign(spots)
    reader.seek_to_beginning()
    ends = reader.end_offsets(spots)
    while any(reader.position(spot) < ends[spot] for spot in spots):
        for batch in reader.poll(timeout_ms=500).values():
            yield from ((record.key, record.value) for record in batch)
    reader.close()


def count(settings: Settings) -> dict[str, Any]:
    """Count events and bytes on `features`, in memory and on the broker's disk."""
    events, size, features, different = 0, 0, 0, set()
    for key, value in values(settings):
        payload = decode(value).payload
        if isinstance(payload, FeaturesComputed):
            different.add((key, payload.date, payload.revision))
            events, size, features = events + 1, size + len(value), max(features, len(payload.features))
    folders = (settings.home / "kafka" / "data").glob(f"{FEATURES}-*/*.log")
    stored = sum(segment.stat().st_size for segment in folders)
    return {
        "events": events,
        "different": len(different),
        "features": features,
        "bytes": size / max(1, events),
        "bytes_on_disk": stored / max(1, events),
        "peak": peak(),
    }


def send(settings: Settings) -> dict[str, Any]:
    """Send events that are ready once more, in transactions; the last thing that happens to this stack."""
    read = zip(values(settings), range(SENDINGS), strict=False)
    ready = [Outgoing(FEATURES, key, value) for (key, value), _ in read]
    pool = Pool(settings)
    source = Source(pool, SENDER)
    source.open()
    began, busy = time.perf_counter(), time.process_time()
    for start in range(0, len(ready), TRANSACTION):
        source.publish(ready[start : start + TRANSACTION])
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    source.close()
    pool.close()
    return {"events": len(ready), "seconds": seconds, "cpu": cpu, "transaction": TRANSACTION, "peak": peak()}


def rebuilt(settings: Settings, rebuild: Callable[[Settings], list[Rebuilt]]) -> dict[str, Any]:
    """Fill a store, then time how it is rebuilt and compared; tells how many rows are the same as before."""
    rebuild(settings)
    began = time.perf_counter()
    found = rebuild(settings)
    seconds = time.perf_counter() - began
    require(all(one.same for one in found), found)
    return {"rows": sum(one.rows_after for one in found), "seconds": seconds, "peak": peak()}


def read_side(settings: Settings) -> dict[str, Any]:
    """Drop the read side, and project all topics again."""
    return rebuilt(settings, rebuild_read_side)


def feature_table(settings: Settings) -> dict[str, Any]:
    """Empty the feature table, and project the features again."""
    told = rebuilt(settings, rebuild_features)
    return told | {"bytes_a_row": size_of_table(settings) / max(1, told["rows"])}


def fill(settings: Settings) -> dict[str, Any]:
    """Project the features into a table that is empty."""
    began = time.perf_counter()
    rebuild_features(settings)
    seconds = time.perf_counter() - began
    return {"rows": _files_of_table(settings)["num_records"].sum().item(), "seconds": seconds, "peak": peak()}


def size_of_table(settings: Settings) -> int:
    """Add up the files that the feature table's newest version consists of."""
    return int(_files_of_table(settings)["size_bytes"].sum())


def _files_of_table(settings: Settings) -> pd.DataFrame:
    table = DeltaTable(FeatureTable(settings).uri, storage_options=storage_options(settings))
    return pa.table(table.get_add_actions(flatten=True)).to_pandas()


STEPS = {"count": count, "send": send, "read-side": read_side, "features": feature_table, "fill": fill}


def main() -> None:
    """Take one step in this process."""
    parser = argparse.ArgumentParser(prog="python -m bench.backfill", description=__doc__)
    parser.add_argument("part", choices=STEPS)
    parser.add_argument("home", type=Path)
    options = parser.parse_args()
    sys.stderr.write(f"  {options.part}\n")
    tell(STEPS[options.part](load_settings(options.home)))


if __name__ == "__main__":
    main()
