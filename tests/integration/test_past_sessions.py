"""Past sessions are computed again beside a running loop: by hand, killed, on Dask, after a revision."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from distributed import Client

from events.envelope import Event, decode
from events.payloads import DataIngested, Payload
from infra.delta_access import storage_options
from infra.feature_table import FeatureTable
from infra.kafka import clients, scanning
from infra.kafka.blocks import Block, blocks_in
from infra.kafka.lag import unsettled
from infra.settings import Settings
from infra.store import Store
from tasks.catching_up import await_projection
from tasks.core.prices import session_from_parquet, session_to_parquet
from tasks.core.simulator import write_market
from tests.conftest import NEPSE, nepse, running_stack
from tests.copies import eventually

pytestmark = pytest.mark.stack

SYMBOLS = 30
WITHIN = 200


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


def settle(settings: Settings) -> None:
    """Wait until every flow has done what is there, and the feature table holds it."""
    readers: dict[str, Any] = {}
    eventually(lambda: unsettled(settings, readers) == 0, "the loop is done", WITHIN)
    for reader in readers.values():
        reader.close(autocommit=False)
    with scanning.reader(settings) as looking:
        ends, _ = scanning.settled_ends(settings, looking, scanning.spots_of(settings, ["features"]))
    table = FeatureTable(settings)
    await_projection("the feature table", lambda: table.positions(ends), ends)


def events_of(settings: Settings, topic: str, producer: str = "") -> list[Event[Payload]]:
    """All events of a topic, or those of a producer."""
    with scanning.reader(settings) as looking:
        spots = scanning.spots_of(settings, [topic])
        ends, _ = scanning.settled_ends(settings, looking, spots)
        records = [
            record
            for spot in spots
            for batch in scanning.scan(looking, spot, 0, ends[spot.topic, spot.partition])
            for record in batch
        ]
    events = [decode(record.value) for record in records]
    return [event for event in events if not producer or event.producer == producer]


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


@pytest.fixture
def scheduler() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two workers, each a process of its own; the address, and the workers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "dask"]
    port = address.rsplit(":", 1)[1]
    command = [*dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    running = [subprocess.Popen(command)]
    workers = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    running += [subprocess.Popen(workers) for _ in range(2)]
    try:
        yield address, running[1:]
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_worker_may_die(past: Settings, scheduler: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
    """On a real scheduler with two workers, of which one is killed at work: the same as in process."""
    address, workers = scheduler
    days = sessions(past)[20:80]
    before = len(events_of(past, "features", "backfill"))
    with Client(address, timeout=60) as looking:
        looking.wait_for_workers(2, timeout=60)
        command = [NEPSE, *_command(past, days, "--force", "--dask", address)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            eventually(lambda: any(looking.processing().values()), "a worker is at work", WITHIN)
            os.kill(workers[0].pid, signal.SIGKILL)
            told, _ = running.communicate(timeout=WITHIN)
    assert running.returncode == 0
    published = json.loads(told)["published"]
    assert len(events_of(past, "features", "backfill")) == before + published
    settle(past)
    assert backfill(past, days)["published"] == 0
