"""Our join in one process: the steps of flows/join_errors.py, slice after slice, without Prefect."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from kafka import TopicPartition

from events.payloads import OffsetRange
from flows.join_errors import publish
from infra.bootstrap import Loop
from infra.kafka import clients
from infra.kafka.records import Run
from infra.kafka.slices import open_slice
from infra.running import expect_many_objects
from infra.settings import load_settings
from sensors.plan import cut
from tasks.join_slice import TOPICS, JoinSlice, joinable
from tasks.joins import FLOW, meet
from tasks.refusals import refusals

Spots = tuple[TopicPartition, ...]


class Join:
    """The join's partitions, each sliced from where its group stands."""

    def __init__(self, home: Path, most: int) -> None:
        """Connect; `most` offsets make a slice."""
        self.loop, self.most = Loop(load_settings(home)), most
        self.reader = clients.consumer(self.loop.settings, group=FLOW)
        numbers = range(self.loop.settings.partitions)
        self.units: list[Spots] = [tuple(TopicPartition(t, n) for t in TOPICS) for n in numbers]
        self.at: dict[Spots, dict[TopicPartition, int]] = {}
        self.spent: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self.errors = self.expired = 0

    def slices(self) -> Iterator[list[OffsetRange]]:
        """Cut slices of one unit after the other, as their sensor would, until nothing is new."""
        for unit in self.units:
            self.at[unit] = {spot: int(self.reader.committed(spot) or 0) for spot in unit}
        news = True
        while news:
            news = False
            for unit in self.units:
                ends = {spot: int(end) for spot, end in self.reader.end_offsets(list(unit)).items()}
                if ranges := cut(unit, self.at[unit], ends, self.most):
                    self.at[unit] = {TopicPartition(r.topic, r.partition): r.end for r in ranges}
                    news = True
                    yield ranges

    def work(self, ranges: list[OffsetRange]) -> int:
        """Do one slice, every step of it timed; returns how many records it read."""
        with open_slice(self.loop.pool, Run(FLOW, "bench"), ranges) as work:
            with self.timed("read and decode"):
                received = joinable(work)
            with self.timed("remember and meet (Postgres)"):
                joined = JoinSlice(received, work.starts, work.ends, refusals(self.loop, work))
                met = meet.fn(self.loop.database, joined, self.loop.settings.expire_after_sessions)
            with self.timed("make events"):
                publish(work, joined, met, self.loop.settings.expire_after_sessions)
            with self.timed("transaction (Kafka)"):
                work.commit()
        self.errors += len(met.pairs)
        self.expired += len(met.expired)
        return work.counts["in"]

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add to the time that a part of the slices took."""
        since, busy = time.perf_counter(), time.process_time()
        yield
        self.spent[part] += time.perf_counter() - since
        self.busy[part] += time.process_time() - busy


def run(join: Join, most: int | None) -> dict[str, Any]:
    """Join until nothing is new, or so many slices; tell about each slice as it commits."""
    began, busy, records, number = time.perf_counter(), time.process_time(), 0, 0
    for number, ranges in enumerate(islice(join.slices(), most), start=1):
        records += join.work(ranges)
        told = {"slice": number, "records": records, "seconds": time.perf_counter() - began}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    seconds = time.perf_counter() - began
    figures = {"records": records, "slices": number, "seconds": seconds, "errors": join.errors}
    parts = {"expired": join.expired, "spent": dict(join.spent), "busy": dict(join.busy)}
    return figures | parts | {"cpu": time.process_time() - busy}


def main() -> None:
    """Join everything in the stack of a home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--slice-records", type=int, default=20_000)
    parser.add_argument("--slices", type=int, help="end after so many")
    parser.add_argument("--profile", type=Path, help="write a profile there")
    options = parser.parse_args()
    expect_many_objects()
    join = Join(options.home, options.slice_records)
    if options.profile:
        import cProfile  # noqa: PLC0415

        profile = cProfile.Profile()
        figures = profile.runcall(run, join, options.slices)
        profile.dump_stats(options.profile)
    else:
        figures = run(join, options.slices)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
