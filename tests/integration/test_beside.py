"""A backfill leaves the live loop its time: sessions that arrive meanwhile are predicted soon."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median

import pytest

from bench.beside import EACH, measure
from infra.inputs import InputFile
from infra.settings import Settings
from tasks.core.simulator import Oddities, write_market
from tasks.reading import Session, read_sessions
from tests.conftest import nepse, running_stack
from tests.stacks import UNTRAINED, settle

pytestmark = pytest.mark.stack

PAST, SYMBOLS = 120, 150
FILLED = 90
MORE_SECONDS = 2.0
"""What a block that was published just before may cost a session, beside twice its own time."""


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A market: a history, and a daily file for each session after it."""
    clean = Oddities.none()
    return dict(
        write_market(sessions=PAST + 2 * EACH, symbols=SYMBOLS, seed=23, daily=2 * EACH, oddities=clean)
    )


@pytest.fixture(scope="module")
def live(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack that has worked off the history, and trains nothing meanwhile."""
    history = tmp_path_factory.mktemp("beside") / "history.parquet"
    history.write_bytes(files["history.parquet"])
    with running_stack(**UNTRAINED) as settings:
        done = nepse("ingest", "--home", str(settings.home), str(history), within=280)
        assert done.returncode == 0, done.stderr
        settle(settings)
        yield settings


def sessions(files: dict[str, bytes], place: str) -> list[Session]:
    """The sessions of the files whose names begin so, oldest first."""
    prices = [InputFile(Path(name).name, data) for name, data in files.items() if name.startswith(place)]
    read, refused = read_sessions.fn(prices, date.min, date.max)
    assert not refused
    return read


def test_live_sessions_are_predicted_while_a_backfill_runs(live: Settings, files: dict[str, bytes]) -> None:
    """In at most twice the time and two seconds, and all of them before the backfill is through."""
    filled = [str(one.day) for one in sessions(files, "history")][-FILLED:]
    span = ("backfill", "--from", filled[0], "--to", filled[-1], "--force")
    found = measure(live, sessions(files, "daily/"), span)
    assert found["outlasted"], found
    assert found["vectors"] > FILLED * SYMBOLS / 2, found
    assert median(found["beside"]) <= 2 * median(found["alone"]) + MORE_SECONDS, found
