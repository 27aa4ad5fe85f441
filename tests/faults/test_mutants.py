"""Every mutant of the slice layer fails the checker in the scenario that exposes it; the system passes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from events.payloads import OffsetRange
from infra.errors import SupersededError
from infra.kafka.pool import Pool
from infra.settings import PROJECT, inherited_environment
from tests.desk import Desk, event, vector
from tests.faults import checker, journal
from tests.faults.mutants import mutated, work

PROCESS_SECONDS = 60
KILLED = -9


def kinds(desk: Desk, start: int) -> set[str]:
    """Judge what this test's flow left, from where it began."""
    told = journal.read(desk.settings.bootstrap)
    mine = {
        topic: [r for r in records if topic == "features" or r.producer == desk.flow]
        for topic, records in told.committed.items()
    }
    seen = journal.Journal(mine, told.everything, told.stable, told.written, told.open_transactions)
    foreign = {0: start, 1: seen.stable["features", 1], 2: seen.stable["features", 2]}
    duty = checker.Duty(desk.flow, "features", "FeaturesComputed", "predictions", checker.symbol_of, foreign)
    at = journal.committed_offset(desk.settings.bootstrap, desk.flow, ("features", 0))
    progress = checker.tiling(seen, desk.flow, ("features", 0), start, at)
    return {finding.kind for finding in [*checker.check(seen, [duty]), *progress]}


def killed_in_between(desk: Desk, name: str, folder: Path) -> OffsetRange:
    """Kill a process when its commit is acknowledged, and let the next one plan from the group's offset."""
    span = desk.feed(vector(), vector())
    (folder / "commit-acknowledged").write_text("kill")
    assert in_process(desk, name, span, folder) == KILLED
    if (at := desk.at) is not None and at < span.end:
        assert in_process(desk, name, span.model_copy(update={"start": at}), folder) == 0
    return span


def in_process(desk: Desk, name: str, span: OffsetRange, folder: Path) -> int:
    """Work a slice in a process that can be killed; returns how it ended."""
    command = [sys.executable, "-m", "tests.faults.mutants", name, desk.flow, str(span.start), str(span.end)]
    environment = {"NEPSE_HOME": str(desk.settings.home.resolve()), "NEPSE_FAULTS": str(folder)}
    done = subprocess.run(
        command,
        env=inherited_environment() | environment,
        cwd=PROJECT,
        timeout=PROCESS_SECONDS,
        capture_output=True,
        check=False,
    )
    return done.returncode


def aborted_input(desk: Desk, name: str, _folder: Path) -> OffsetRange:
    """Put a record of an aborted transaction in front of a committed one."""
    producer = desk.pool.new_producer(f"abort-{desk.flow}").producer
    producer.begin_transaction()
    producer.send("features", value=event(vector()), partition=0).get(timeout=10)
    producer.abort_transaction()
    producer.close()
    span = desk.feed(vector())
    with mutated(name):
        pool = Pool(desk.settings)
        work(pool, desk.flow, span)
        pool.close()
    return span


def surviving_zombie(desk: Desk, name: str, _folder: Path) -> OffsetRange:
    """Open a slice, sleep while a successor does it, and go on."""
    span = desk.feed(vector())
    zombie, successor = Pool(desk.settings), Pool(desk.settings)
    with mutated(name):
        try:
            work(zombie, desk.flow, span, lambda: work(successor, desk.flow, span))
        except SupersededError:
            assert name == "none"
    zombie.close()
    successor.close()
    return span


class Waking(Pool):
    """A pool whose owner sleeps before its first init: everything happens in between."""

    meanwhile: Callable[[], object]

    def new_producer(self, transactional_id: str) -> Any:
        """Let others work first."""
        self.meanwhile()
        return super().new_producer(transactional_id)


def late_zombie(desk: Desk, name: str, _folder: Path) -> OffsetRange:
    """Read the offset, sleep while a successor does the slice, and only then initialise."""
    span = desk.feed(vector())
    zombie, successor = Waking(desk.settings), Pool(desk.settings)
    zombie.meanwhile = lambda: work(successor, desk.flow, span)
    with mutated(name):
        work(zombie, desk.flow, span)
    zombie.close()
    successor.close()
    return span


Scenario = Callable[[Desk, str, Path], OffsetRange]
EXPOSED: list[tuple[str, Scenario, set[str]]] = [
    ("offsets-after", killed_in_between, {"duplicated", "overlap"}),
    ("offsets-before", killed_in_between, {"lost", "progress"}),
    ("read-uncommitted", aborted_input, {"aborted-read"}),
    ("random-id", surviving_zombie, {"duplicated", "overlap"}),
    ("one-look", late_zombie, {"duplicated", "overlap"}),
]


@pytest.mark.parametrize(("name", "scenario", "expected"), EXPOSED, ids=[one[0] for one in EXPOSED])
def test_a_mutant_is_found(
    desk: Desk, tmp_path: Path, name: str, scenario: Scenario, expected: set[str]
) -> None:
    """What the missing guard was for shows in what the flow left."""
    span = scenario(desk, name, tmp_path)
    assert kinds(desk, span.start) >= expected


@pytest.mark.parametrize("scenario", [killed_in_between, aborted_input, surviving_zombie, late_zombie])
def test_the_system_passes(desk: Desk, tmp_path: Path, scenario: Scenario) -> None:
    """The same scenario without a mutation leaves nothing to find."""
    span = scenario(desk, "none", tmp_path)
    assert kinds(desk, span.start) == set()
