"""Slices that several processes work continuously on a broker that a test hurts, judged afterwards."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from infra.errors import LoopError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.settings import PROJECT, Settings, inherited_environment
from tests.faults import checker, journal
from tests.faults.checker import Finding
from tests.faults.cluster import tied
from tests.faults.feeder import PARTITIONS, Feeder
from tests.faults.parts import RECOVERY_SECONDS, SETTLE_SECONDS, until
from tests.faults.table import Report

STABLE_SECONDS = 30.0
ASK_SECONDS = 10
END_SECONDS = 40
BATCHES = 5
"""Transactions that have to be acknowledged before a fault, and again after it."""
WORKERS = (0, 0, 1, 2)
"""The partition of each process; the two of partition 0 fence one another."""
TOPICS = ("features", "predictions", "slices", "dead-letters")


@dataclass
class Sliced:
    """A flow, the processes that work it and what feeds it."""

    settings: Settings
    folder: Path
    feeder: Feeder
    report: Report
    flow: str
    workers: list["subprocess.Popen[bytes]"]

    def ready(self) -> None:
        """Wait until work is going on."""
        self.feeder.await_more(BATCHES)

    def recovered(self, name: str, since: float) -> None:
        """Wait until new work comes and all work is done, and note the seconds since a moment."""
        self.feeder.await_more(BATCHES)
        why: list[str] = []
        with self.feeder.paused():
            until(lambda: self._settled(why), SETTLE_SECONDS, "settling", why)
            self.report.lines[name].seconds.append(time.monotonic() - since)

    def judged(self, *names: str) -> None:
        """Require that nothing is wrong, that it took no longer than allowed, and that no process gave up."""
        for name in names:
            self.report.lines[name].findings.extend(found := self.findings())
            assert found == []
            assert max(self.report.lines[name].seconds) <= RECOVERY_SECONDS, name
        for number, worker in enumerate(self.workers):
            assert worker.poll() is None, (self.folder / f"worker-{number}.log").read_text()[-2000:]

    def findings(self) -> list[Finding]:
        """Judge the topics once every transaction has ended."""
        found: list[Finding] = []

        def stable() -> bool:
            found[:] = self._findings()
            return not any(finding.kind == "open-transaction" for finding in found)

        with self.feeder.paused():
            until(lambda: self._settled([]), SETTLE_SECONDS, "settling")
            until(stable, STABLE_SECONDS, "the end of all transactions", found)
        return found

    def _findings(self) -> list[Finding]:
        told = journal.read(self.settings.bootstrap, TOPICS)
        duty = checker.Duty(self.flow, "features", "FeaturesComputed", "predictions", checker.symbol_of)
        found = checker.check(told, [duty])
        for number in range(PARTITIONS):
            spot = ("features", number)
            at = journal.committed_offset(self.settings.bootstrap, self.flow, spot)
            found += checker.tiling(told, self.flow, spot, 0, at)
        kept = {record.identity for record in told.of("features")}
        gone = [name for name in self.feeder.acknowledged if name not in kept]
        return found + [Finding("lost", f"{name} was acknowledged and is not there") for name in gone]

    def _settled(self, why: list[str]) -> bool:
        """Tell whether all work is done; what stands in its way goes to `why`."""
        try:
            behind = self._behind()
        except (LoopError, KafkaError) as error:
            why.append(f"{error!r}; {self._last_words()}")
            return False
        why.append(f"behind by {behind}; {self._last_words()}")
        return not any(behind)

    def _last_words(self) -> str:
        """Say what each worker wrote last, and whether it has ended."""
        logs = [(self.folder / f"worker-{n}.log").read_text() for n in range(len(self.workers))]
        ends = [worker.poll() for worker in self.workers]
        return "; ".join(
            f"{n} ({end}): {log[-300:]}" for n, (end, log) in enumerate(zip(ends, logs, strict=True))
        )

    def _behind(self) -> list[int]:
        """Count the offsets of each partition that are not done."""
        reader = clients.consumer(self.settings, group=self.flow)
        try:
            spots = [TopicPartition("features", number) for number in range(PARTITIONS)]
            ends = answered(partial(reader.end_offsets, spots), ASK_SECONDS, "the ends")
            at = [answered(partial(reader.committed, s), ASK_SECONDS, "the progress") or 0 for s in spots]
            return [ends[spot] - done for spot, done in zip(spots, at, strict=True)]
        finally:
            close(reader)


@contextmanager
def slicing(settings: Settings, folder: Path, report: Report, flow: str = "sliced") -> Iterator[Sliced]:
    """Work while the block lasts; no process is left."""
    _begin(settings, flow)
    work = Sliced(settings, folder, Feeder(settings), report, flow, [])
    try:
        work.workers += [_worker(work, number, partition) for number, partition in enumerate(WORKERS)]
        with work.feeder.running():
            work.ready()
            yield work
    finally:
        for worker in work.workers:
            worker.terminate()
        for worker in work.workers:
            _end(worker)


def _begin(settings: Settings, flow: str) -> None:
    """Put a group at the beginning, as the creation of a topic does."""
    reader = clients.consumer(settings, group=flow)
    spots = [TopicPartition("features", number) for number in range(PARTITIONS)]
    reader.assign(spots)
    reader.commit({spot: OffsetAndMetadata(0, "", -1) for spot in spots})
    close(reader)


def _worker(work: Sliced, number: int, partition: int) -> "subprocess.Popen[bytes]":
    told = {
        "NEPSE_HOME": str(work.settings.home.resolve()),
        "NEPSE_KAFKA_BOOTSTRAP": work.settings.bootstrap,
    }
    with (work.folder / f"worker-{number}.log").open("ab") as log:
        return subprocess.Popen(
            tied([sys.executable, "-m", "tests.faults.worker", work.flow, str(partition)]),
            env=inherited_environment() | told,
            cwd=PROJECT,
            stdout=log,
            stderr=log,
        )


def _end(worker: "subprocess.Popen[bytes]") -> None:
    try:
        worker.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait(timeout=5)
