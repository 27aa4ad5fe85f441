"""Past sessions are computed again beside a running loop: by hand, killed, on Dask, after a revision."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from deltalake import DeltaTable
from distributed import Client, get_task_stream

from events.envelope import Event
from events.payloads import DataIngested, Payload
from infra.delta_access import storage_options
from infra.feature_table import FeatureTable
from infra.kafka import clients
from infra.kafka.blocks import Block, blocks_in
from infra.settings import Settings
from infra.store import Store
from tasks.core.prices import session_from_parquet, session_to_parquet
from tasks.core.simulator import write_market
from tests.conftest import nepse, running_stack
from tests.stacks import WITHIN, events_of, settle

pytestmark = pytest.mark.stack

SYMBOLS, BLOCKS = 30, 5


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack of its own, since the tests leave revisions behind: 100 sessions, worked off."""
    folder = tmp_path_factory.mktemp("past")
    files = dict(write_market(sessions=100, symbols=SYMBOLS, seed=17, daily=1))
    (folder / "history.parquet").write_bytes(files["history.parquet"])
    with running_stack() as settings:
        done = nepse("ingest", "--home", str(settings.home), str(folder / "history.parquet"), within=280)
        assert done.returncode == 0, done.stderr
        settle(settings)
        yield settings


def blocks(settings: Settings) -> list[Block]:
    """The ledger's blocks."""
    entries = [event.payload for event in events_of(settings, "slices")]
    return blocks_in(entries)  # type: ignore[arg-type]


def sessions(settings: Settings) -> list[date]:
    """The sessions that were announced, oldest first."""
    announced = [e.payload for e in events_of(settings, "raw-data", "ingest")]
    return sorted({one.date for one in announced if isinstance(one, DataIngested)})


def backfill(settings: Settings, days: list[date], *options: str) -> dict[str, Any]:
    """Run the command and read what it prints."""
    done = nepse(*_command(settings, days, *options), within=WITHIN)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _command(settings: Settings, days: list[date], *options: str) -> list[str]:
    span = ["--from", str(days[0]), "--to", str(days[-1])]
    return ["backfill", *span, *options, "--json", "--home", str(settings.home)]


def test_what_the_feature_table_lost_is_filled_once(past: Settings) -> None:
    """Three sessions are gone: they are counted, published, and the second time nothing is left."""
    days = sessions(past)[-3:]
    before, _ = FeatureTable(past).read(since=days[0])
    lost = DeltaTable(FeatureTable(past).uri, storage_options=storage_options(past))
    lost.delete(f"date >= DATE '{days[0]}'")
    assert FeatureTable(past).read(["symbol"], since=days[0])[0].empty
    assert backfill(past, days, "--dry-run")["published"] == len(before)
    assert backfill(past, days)["published"] == len(before)
    settle(past)
    after, _ = FeatureTable(past).read(since=days[0])
    own = ["event_id", "partition", "offset"]
    assert after.drop(columns=own).equals(before.drop(columns=own))
    assert backfill(past, days)["published"] == 0


def test_a_run_that_was_killed_goes_on(
    past: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed behind its first block, the same command publishes the rest: as one that nobody killed."""
    days = sessions(past)[-42:]
    started = len(blocks(past))
    monkeypatch.setenv("NEPSE_FAULTS", str(tmp_path))
    (tmp_path / "block-committed.backfill").write_text("kill")
    killed = nepse(*_command(past, days, "--force"), within=WITHIN)
    assert killed.returncode == -signal.SIGKILL
    resumed = backfill(past, days, "--force")
    assert (resumed["resumed"], resumed["blocks_done_before"]) == (True, 1)
    whole = backfill(past, days, "--force")
    assert not whole["resumed"]
    done = blocks(past)[started:]
    runs = [[b for b in done if b.publisher == name] for name in dict.fromkeys(b.publisher for b in done)]
    assert [len(run) for run in runs] == [3, 3]
    assert [b.published for b in runs[0]] == [b.published for b in runs[1]]
    told = Counter(_said(event) for event in events_of(past, "features", "backfill"))
    again = {said: count for said, count in told.items() if date.fromisoformat(said[1]) in days[:-3]}
    assert set(again.values()) == {2}


def _said(event: Event[Payload]) -> tuple[str, str, str]:
    payload = event.payload.model_dump(mode="json")
    return payload["symbol"], payload["date"], json.dumps(payload, sort_keys=True)


@pytest.mark.parametrize("point", ["block-computed.backfill", "outputs-produced.source.block.backfill"])
def test_a_block_is_whole_or_not_there(
    past: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Killed inside its only block a run leaves nothing."""
    days = sessions(past)[10:15]
    before = len(events_of(past, "features", "backfill"))
    monkeypatch.setenv("NEPSE_FAULTS", str(tmp_path))
    (tmp_path / point).write_text("kill")
    assert nepse(*_command(past, days, "--force"), within=WITHIN).returncode == -signal.SIGKILL
    assert len(events_of(past, "features", "backfill")) == before
    found = backfill(past, days, "--force")
    assert not found["resumed"]
    assert len(events_of(past, "features", "backfill")) == before + found["published"]


def test_predictions_and_errors_are_there_already(past: Settings) -> None:
    """The live flows followed every vector; with --force predictions are published, and met again."""
    settle(past)
    days = sessions(past)[-9:-4]
    assert backfill(past, days, "--flow", "predictions")["published"] == 0
    assert backfill(past, days, "--flow", "errors")["published"] == 0
    errors = len(events_of(past, "errors", "join-errors"))
    published = backfill(past, days, "--flow", "predictions", "--force")["published"]
    assert published > 0
    settle(past)
    assert len(events_of(past, "errors", "join-errors")) > errors


def test_a_revision_changes_later_sessions(
    past: Settings, produce_raw: Callable[[DataIngested], None]
) -> None:
    """Recompute publishes what the corrected closes change; a backfill finds nothing left to do."""
    days = sessions(past)
    store, day = Store(past), days[50]
    location = f"s3://{past.raw_bucket}/{day}.parquet"
    rows = session_from_parquet(store.get(location), location)
    corrected = f"s3://{past.raw_bucket}/{day}.corrected.parquet"
    store.put_new(corrected, session_to_parquet(rows.assign(close=rows["close"] * 1.01)))
    produce_raw(DataIngested(symbol="NEPSE", date=day, data_location=corrected, revision=1))
    settle(past)
    found = {event.payload.date for event in events_of(past, "features", "recompute")}  # type: ignore[attr-defined]
    assert days[51] in found
    assert found <= set(days[51:])
    assert backfill(past, days[45:])["published"] == 0
    report = nepse("reconcile", "--json", "--home", str(past.home), within=WITHIN)
    assert [f for f in json.loads(report.stdout)["findings"] if f["serious"]] == []


@pytest.fixture
def produce_raw(past: Settings) -> Callable[[DataIngested], None]:
    """Publish an announcement as a foreign program would."""

    def publish(payload: DataIngested) -> None:
        event = {
            "event_type": "DataIngested",
            "timestamp": "2024-01-01T12:00:00Z",
            "producer": "elsewhere",
            "payload": payload.model_dump(mode="json", exclude_none=True),
        }
        producer = clients.plain_producer(past)
        producer.send("raw-data", json.dumps(event).encode(), b"NEPSE").get(timeout=20)
        producer.close()

    return publish


class Cluster(NamedTuple):
    """A Dask scheduler and its workers, each a process of its own."""

    address: str
    workers: list[subprocess.Popen[bytes]]
    faults: Path
    """Where the workers look for armed faults."""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A scheduler and two workers, for commands that cut the symbols into five blocks."""
    monkeypatch.setenv("NEPSE_DASK_SYMBOLS", str(SYMBOLS // BLOCKS))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    dask, address = [sys.executable, "-m", "dask"], f"tcp://127.0.0.1:{port}"
    command = [*dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    running = [subprocess.Popen(command)]
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    surroundings = os.environ | {"NEPSE_FAULTS": str(tmp_path)}
    running += [subprocess.Popen(worker, env=surroundings) for _ in range(2)]
    try:
        yield Cluster(address, running[1:], tmp_path)
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextmanager
def looking_at(cluster: Cluster) -> Iterator[Client]:
    """Look at a scheduler that has both workers."""
    with Client(cluster.address, timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def test_workers_share_the_blocks_of_symbols(past: Settings, cluster: Cluster) -> None:
    """On a real scheduler both workers compute blocks; what comes out is what one process computes."""
    days = sessions(past)[20:80]
    with looking_at(cluster) as client, get_task_stream(client) as stream:
        published = backfill(past, days, "--force", "--dask", cluster.address)["published"]
    assert published > SYMBOLS
    done = Counter(task["worker"] for task in stream.data)
    assert len(done) == len(cluster.workers)
    assert done.total() == 1 + BLOCKS
    settle(past)
    assert backfill(past, days)["published"] == 0


def test_a_worker_dies_at_work(past: Settings, cluster: Cluster) -> None:
    """The first that has computed a block is killed before it tells: the other one does its part."""
    days = sessions(past)[20:80]
    before = len(events_of(past, "features", "backfill"))
    (cluster.faults / "symbols-computed").write_text("kill")
    with looking_at(cluster) as client:
        published = backfill(past, days, "--force", "--dask", cluster.address)["published"]
        assert len(client.scheduler_info()["workers"]) == 1
    assert {worker.poll() for worker in cluster.workers} == {None, -signal.SIGKILL}
    assert len(events_of(past, "features", "backfill")) == before + published
    settle(past)
    assert backfill(past, days)["published"] == 0


def test_a_cluster_of_this_machine_may_be_asked_for(past: Settings) -> None:
    """With `local` the command starts workers of its own and ends them; the same comes out."""
    days = sessions(past)[20:40]
    assert backfill(past, days, "--force", "--dask", "local")["published"] > SYMBOLS
    settle(past)
    assert backfill(past, days)["published"] == 0
