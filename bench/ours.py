"""Our join in one process: the steps of flows/join_errors.py, slice after slice, without Prefect."""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

    def __init__(self, home: Path, most: int, slices: int | None, threads: int) -> None:
        """Connect; `most` offsets make a slice, so many slices are done at most, by so many threads."""
        self.loop, self.most, self.left = Loop(load_settings(home)), most, slices
        self.threads = threads
        numbers = range(self.loop.settings.partitions)
        self.units: list[Spots] = [tuple(TopicPartition(t, n) for t in TOPICS) for n in numbers]
        self.lock = threading.Lock()
        self.spent: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self.errors = self.expired = self.records = self.number = 0

    def run(self) -> dict[str, Any]:
        """Join until nothing is new, or so many slices; tell about each slice as it commits."""
        self.began, busy = time.perf_counter(), time.process_time()
        if self.threads == 1:  # in this thread, which alone a profile sees
            for unit in self.units:
                self.follow(unit)
        else:
            with ThreadPoolExecutor(self.threads) as threads:
                for done in [threads.submit(self.follow, unit) for unit in self.units]:
                    done.result()
        figures = {"records": self.records, "slices": self.number, "seconds": self.seconds}
        parts = {"spent": dict(self.spent), "busy": dict(self.busy), "cpu": time.process_time() - busy}
        return figures | {"errors": self.errors, "expired": self.expired} | parts

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.perf_counter() - self.began

    def follow(self, unit: Spots) -> None:
        """Do one slice of a unit after the other."""
        reader = clients.consumer(self.loop.settings, group=FLOW)
        at = {spot: int(reader.committed(spot) or 0) for spot in unit}
        while not self.enough():
            ends = {spot: int(end) for spot, end in reader.end_offsets(list(unit)).items()}
            if not (ranges := cut(unit, at, ends, self.most)):
                break
            at = {TopicPartition(r.topic, r.partition): r.end for r in ranges}
            self.work(ranges)
        reader.close()

    def enough(self) -> bool:
        """Tell whether so many slices were begun; counts another one if not."""
        with self.lock:
            if self.left is None:
                return False
            self.left -= 1
            return self.left < 0

    def work(self, ranges: list[OffsetRange]) -> None:
        """Do one slice, every step of it timed."""
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
        with self.lock:
            self.errors += len(met.pairs)
            self.expired += len(met.expired)
            self.records += work.counts["in"]
            self.number += 1
            told = {"slice": self.number, "records": self.records, "seconds": self.seconds}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add to the time that a part of the slices took; slices side by side add up to more than passes."""
        since, busy = time.perf_counter(), time.thread_time()
        yield
        with self.lock:
            self.spent[part] += time.perf_counter() - since
            self.busy[part] += time.thread_time() - busy


def main() -> None:
    """Join everything in the stack of a home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--slice-records", type=int, default=20_000)
    parser.add_argument("--slices", type=int, help="end after so many")
    parser.add_argument("--threads", type=int, default=1, help="partitions that are worked side by side")
    parser.add_argument("--profile", type=Path, help="write a profile there")
    options = parser.parse_args()
    expect_many_objects()
    join = Join(options.home, options.slice_records, options.slices, options.threads)
    if options.profile:
        import cProfile  # noqa: PLC0415

        profile = cProfile.Profile()
        figures = profile.runcall(join.run)
        profile.dump_stats(options.profile)
    else:
        figures = join.run()
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
