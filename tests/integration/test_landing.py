"""A landing place is watched by schedules of the real Prefect server, and read by its worker."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from infra.bootstrap import Loop
from infra.prefect_runs import submit
from infra.settings import Settings
from infra.stack import probes
from infra.stack.schedules import LANDING
from infra.wiring import full_name
from tasks.core.simulator import write_market
from tests.conftest import running_stack
from tests.copies import eventually

pytestmark = pytest.mark.stack

PARTS = '["kafka","s3","postgres","prefect","deploy","worker"]'
WITHIN = 120


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that files land in."""
    return tmp_path_factory.mktemp("landing")


@pytest.fixture(scope="module")
def watching(landing: Path) -> Iterator[Settings]:
    """A stack that watches it."""
    with running_stack(NEPSE_PARTS=PARTS, NEPSE_LANDING=str(landing)) as settings:
        yield settings


def test_the_schedules_are_on(watching: Settings) -> None:
    """They are deployed switched off, and on where a landing place is set."""
    found = probes.get_json(f"{watching.prefect_ui}/api/deployments/name/{full_name('ingest')}")
    schedules = {one["slug"]: one["active"] for one in found["schedules"]}
    assert set(schedules.values()) == {True}
    assert all(slug.startswith(LANDING) for slug in schedules)
    assert {one["schedule"]["timezone"] for one in found["schedules"]} == {"Asia/Kathmandu"}


def test_what_landed_is_announced_by_a_run_of_the_deployment(watching: Settings, landing: Path) -> None:
    """As a schedule starts it: without parameters, on the worker; a second look reads nothing again."""
    files = dict(write_market(sessions=40, symbols=12, seed=3, daily=2))
    for name, content in files.items():
        (landing / Path(name).name).write_bytes(content)
    loop = Loop(watching)
    submit(watching, full_name("ingest"), {})
    eventually(lambda: len(loop.raw_data.between(0, loop.raw_data.refresh())) >= 40, "the sessions", WITHIN)
    told = loop.raw_data.refresh()
    run, _ = submit(watching, full_name("ingest"), {})
    eventually(lambda: _state(watching, str(run)) == "COMPLETED", "the second look", WITHIN)
    assert loop.raw_data.refresh() == told
    days = [entry.payload.date for entry in loop.raw_data.between(0, told)]
    assert len(set(days)) == len(days) == 40
    assert min(days) > date(2020, 1, 1)
    loop.close()


def _state(settings: Settings, run: str) -> str:
    return str(probes.get_json(f"{settings.prefect_ui}/api/flow_runs/{run}")["state_type"])
