"""The broker's disk is full in the middle of work, and has room again later.

Mounting a small file system needs rights that a test does not have everywhere. So the running broker is given
a limit on the size of its files (RLIMIT_FSIZE, by prlimit): beyond it the kernel refuses each write with an
error, as it does on a full disk (EFBIG in place of ENOSPC), and the broker takes the same way: it gives its
log folder up and ends. The supervisor starts it again, under the same limit, until the disk is "freed".
"""

import time
from collections.abc import Iterator

import pytest

from infra.settings import Settings
from infra.stack import state
from tests.faults import disk
from tests.faults.parts import until
from tests.faults.sliced import Sliced, slicing
from tests.faults.table import Report

SHORT_SECONDS, LONG_SECONDS = 5, 15
END_SECONDS = 60
NAME = "the broker's disk full"
pytestmark = pytest.mark.timeout(3_600)


@pytest.fixture(scope="module")
def work(own_servers: Settings, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sliced]:
    """Slices that are worked all the time."""
    with slicing(own_servers, tmp_path_factory.mktemp("workers"), report) as work:
        yield work


def starts(settings: Settings) -> int:
    """Count how often the broker has been started again."""
    known = state.read_state(settings.home)
    assert known
    return known.parts["kafka"].restarts


def test_the_brokers_disk_is_full(own_servers: Settings, work: Sliced, rounds: int) -> None:
    """The broker ends when it can't write, stays away without room, and comes back with all it had."""
    data = own_servers.home.resolve() / "kafka" / "data"
    for _ in range(rounds):
        work.ready()
        before, limit = starts(own_servers), disk.nearly_all(data)

        def given_up(before: int = before, limit: int = limit) -> bool:
            disk.hold_full(own_servers, "kafka", limit, disk.LOOK_SECONDS)
            return starts(own_servers) > before

        until(given_up, END_SECONDS, "the broker's end")
        disk.hold_full(own_servers, "kafka", limit, SHORT_SECONDS if rounds == 1 else LONG_SECONDS)
        disk.free(own_servers, "kafka")
        work.recovered(NAME, time.monotonic())
    work.judged(NAME)
