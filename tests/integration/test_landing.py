"""A landing place in our own store is watched by schedules of the real Prefect server, read by its worker."""

import json
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from events.payloads import DataIngested
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.settings import Settings
from infra.stack import objects, probes
from infra.stack.schedules import LANDING
from infra.store import Store
from infra.wiring import full_name
from tasks.core.layout import REJECTED
from tasks.core.simulator import Oddities, write_market
from tests.conftest import nepse, running_stack
from tests.copies import eventually

pytestmark = pytest.mark.stack

PARTS = '["kafka","s3","postgres","prefect","deploy","worker"]'
BUCKET = "prices"
PLACE = f"s3://{BUCKET}/daily"
WITHIN = 180
EVERY_SECONDS = 15
SESSIONS, LATER = 40, 2
"""Sessions in all, and those of them whose files come later to another folder of the bucket."""


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A history, and daily files with rows that can't be used."""
    odd = Oddities(stale=0.0, bad_closes=0.2)
    written = write_market(sessions=SESSIONS, symbols=24, seed=3, daily=4, oddities=odd)
    return {Path(name).name: data for name, data in written if name.startswith(("history", "daily/"))}


@pytest.fixture(scope="module")
def watching() -> Iterator[Settings]:
    """A stack that watches a folder of a bucket."""
    with running_stack(NEPSE_PARTS=PARTS, NEPSE_LANDING=PLACE) as settings:
        objects.s3_client(settings).create_bucket(Bucket=BUCKET)
        yield settings


def later(files: dict[str, bytes]) -> list[str]:
    """The names of the last daily files."""
    return sorted(name for name in files if name.endswith(".csv"))[-LATER:]


def schedules(settings: Settings) -> dict[str, Any]:
    """The deployment that looks at the landing place."""
    return dict(probes.get_json(f"{settings.prefect_ui}/api/deployments/name/{full_name('ingest')}"))


def announced(loop: Loop) -> list[DataIngested]:
    """What raw-data tells of sessions."""
    entries = loop.raw_data.between(0, loop.raw_data.refresh())
    return [one.payload for one in of_kind(entries, DataIngested)]


def test_the_schedules_are_on(watching: Settings) -> None:
    """They are deployed switched off, and on where a landing place is set."""
    found = schedules(watching)["schedules"]
    active = {one["slug"]: one["active"] for one in found}
    assert set(active.values()) == {True}
    assert all(slug.startswith(LANDING) for slug in active)
    assert {one["schedule"]["timezone"] for one in found} == {"Asia/Kathmandu"}


def test_what_landed_is_announced_by_a_run_that_a_schedule_started(
    watching: Settings, files: dict[str, bytes]
) -> None:
    """One of the schedules, brought forward: it reads the bucket; when it looks again nothing is new."""
    store, loop = Store(watching), Loop(watching)
    early = sorted(set(files) - set(later(files)))
    for name in early:
        store.put_new(f"{PLACE}/{name}", files[name])
    found = schedules(watching)
    soon = {"schedule": {"interval": EVERY_SECONDS, "timezone": "Asia/Kathmandu"}}
    url = f"{watching.prefect_ui}/api/deployments/{found['id']}/schedules/{found['schedules'][0]['id']}"
    probes.get_json(url, soon, "PATCH")
    lying, held = f"{len(early)} files lie there", SESSIONS - LATER
    eventually(lambda: _looks(watching, lying, f"{held} announced") == 1, "the first look", WITHIN)
    eventually(lambda: _looks(watching, lying, f"{held} skipped") > 0, "the second look", WITHIN)
    probes.delete(url)
    assert _looks(watching, "announced") == 1
    days = [one.date for one in announced(loop)]
    assert len(set(days)) == len(days) == SESSIONS - LATER
    assert min(days) > date(2020, 1, 1)
    loop.close()


def _looks(settings: Settings, *said: str) -> int:
    """Count the runs that a schedule made and that ended well, saying all of this."""
    wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    found = probes.get_json(f"{settings.prefect_ui}/api/flow_runs/filter", wanted)
    told = [str(run["state"]["message"]) for run in found if run["auto_scheduled"]]
    return sum(all(part in message for part in said) for message in told)


def test_files_of_the_bucket_are_ingested_by_a_pattern(watching: Settings, files: dict[str, bytes]) -> None:
    """A command reads them with the stack's own keys; rows that it can't use lie in the store, with why."""
    store, loop = Store(watching), Loop(watching)
    for name in later(files):
        store.put_new(f"s3://{BUCKET}/late/{name}", files[name])
    pattern = f"s3://{BUCKET}/late/20??_*.csv"
    done = nepse("ingest", pattern, "--json", "--home", str(watching.home), within=WITHIN)
    assert done.returncode == 0, done.stderr
    lines = json.loads(done.stdout)
    assert [line["file"] for line in lines] == later(files)
    told = [one for one in announced(loop) if one.source in later(files)]
    assert [one.rejected_rows for one in told] == [line["rejected"] for line in lines]
    assert min(one.rejected_rows for one in told) > 0
    for one in told:
        assert _reasons(store, one.quarantine or "") == one.rejected_by
    loop.close()


def _reasons(store: Store, place: str) -> dict[str, int]:
    """Read what was put aside, and count the rows by why."""
    assert place.startswith("s3://nepse-raw/quarantine/")
    aside = pd.read_parquet(BytesIO(store.get(place)))
    assert list(aside.columns) == ["source", *REJECTED]
    return {str(code): int(count) for code, count in aside["reason"].value_counts().items()}
