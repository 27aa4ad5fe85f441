"""The only connection to the broker is cut, falls silent or gets slow in the middle of work."""

import time
from collections.abc import Iterator

import pytest

from tests.faults.cluster import running_cluster
from tests.faults.proxy import Line, Proxy
from tests.faults.sliced import Sliced, slicing
from tests.faults.table import Report

SHORT_SECONDS, LONG_SECONDS = 10, 15
CUT = {
    "connections to the broker reset": Line(cut=True),
    "connections to the broker silent": Line(silent=True),
}
SLOW = Line(latency=0.15, rate=100_000)
pytestmark = pytest.mark.timeout(3_600)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A relay that the broker names as its own address."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def work(proxy: Proxy, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sliced]:
    """Slices that are worked all the time, through the relay."""
    with (
        running_cluster(tmp_path_factory.mktemp("broker"), 1, proxy) as cluster,
        slicing(cluster.settings, tmp_path_factory.mktemp("workers"), report) as work,
    ):
        yield work


@pytest.mark.parametrize("name", CUT)
def test_the_connection_is_cut(proxy: Proxy, work: Sliced, rounds: int, name: str) -> None:
    """Nothing reaches the broker, nothing comes from it, and then all of it does again."""
    for _ in range(rounds):
        work.ready()
        with proxy.hurt(CUT[name]):
            before = len(work.feeder.acknowledged)
            time.sleep(SHORT_SECONDS if rounds == 1 else LONG_SECONDS)
            assert len(work.feeder.acknowledged) - before <= len(work.feeder.symbols)
        work.recovered(name, time.monotonic())
    work.judged(name)


def test_the_connection_is_slow(proxy: Proxy, work: Sliced, rounds: int) -> None:
    """Work goes on, slower, and is done soon afterwards."""
    name = f"{SLOW.latency * 1000:.0f} ms each way to the broker, {SLOW.rate / 1000:.0f} kB/s"
    for _ in range(rounds):
        work.ready()
        with proxy.hurt(SLOW):
            work.feeder.await_more(6)
        work.recovered(name, time.monotonic())
    work.judged(name)
