"""The only connection to the broker is cut, falls silent or gets slow in the middle of work."""

import time
from collections.abc import Iterator

import pytest

from infra.kafka import mended
from infra.settings import Settings
from infra.wiring import Route
from sensors.membership import Membership
from tests.faults.cluster import running_cluster
from tests.faults.proxy import Line, Proxy
from tests.faults.sliced import Sliced, slicing
from tests.faults.table import Report

SHORT_SECONDS, LONG_SECONDS = 10, 15
CUT = {
    "connections to the broker reset": Line(cut=True),
    "connections to the broker silent": Line(silent=True),
}
SENSOR_SECONDS = 0.15
"""A sensor's turn; it polls at every third or so."""
JOIN_SECONDS = 15
SLOW = Line(latency=0.15, rate=100_000)
pytestmark = pytest.mark.timeout(3_600)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A relay that the broker names as its own address."""
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def broker(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A broker behind the relay."""
    with running_cluster(tmp_path_factory.mktemp("broker"), 1, proxy) as cluster:
        yield cluster.settings


@pytest.fixture(scope="module")
def work(broker: Settings, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sliced]:
    """Slices that are worked all the time, through the relay."""
    with slicing(broker, tmp_path_factory.mktemp("workers"), report) as work:
        yield work


def joined_within(broker: Settings, seconds: float) -> bool:
    """Tell whether a sensor's member gets into its group, polling as sensors do."""
    member = Membership(broker, Route("sensor-slow", "slow", ("features",)))
    deadline = time.monotonic() + seconds
    try:
        while not member.assigned() and time.monotonic() < deadline:
            member.keep()
            time.sleep(SENSOR_SECONDS)
        return bool(member.assigned())
    finally:
        member.close()


def test_a_member_gets_into_its_group_over_a_long_line(
    proxy: Proxy, broker: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join that outlasts the poll it began in is kept; the client as it is would begin it anew for ever."""
    with proxy.hurt(Line(latency=0.06)):
        assert joined_within(broker, JOIN_SECONDS)
        monkeypatch.setattr(mended, "_keep_joins", lambda _: None)
        assert not joined_within(broker, JOIN_SECONDS), "kafka-python keeps a join now: mended.py can go"


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
