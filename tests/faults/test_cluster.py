"""A cluster of three brokers, replication 3 and two in sync, loses any one of them in the middle of work."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.kafka import checks
from tests.faults.cluster import Cluster, Node, java_hash, running_cluster
from tests.faults.parts import until
from tests.faults.sliced import Sliced, slicing
from tests.faults.table import Report

BACK_SECONDS = 60
Victim = Callable[[Cluster, Sliced], Node]


def _leader(cluster: Cluster, _: Sliced) -> Node:
    return cluster.leaders("features")[0]


def _of_the_group(cluster: Cluster, work: Sliced) -> Node:
    return cluster.coordinator("__consumer_offsets", work.flow)


def _of_transactions(cluster: Cluster, work: Sliced) -> Node:
    return cluster.coordinator("__transaction_state", f"{work.flow}.features-0")


VICTIMS: dict[str, Victim] = {
    "one of three brokers killed: leader of features-0": _leader,
    "one of three brokers killed: the group's coordinator": _of_the_group,
    "one of three brokers killed: the transactions' coordinator": _of_transactions,
}
pytestmark = pytest.mark.timeout(3_600)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The short version kills one broker, which leads features-0 and coordinates the group."""
    if "name" in metafunc.fixturenames:
        short = metafunc.config.getoption("rounds") == 1
        metafunc.parametrize("name", list(VICTIMS)[:1] if short else list(VICTIMS))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three brokers."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), 3) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def work(cluster: Cluster, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sliced]:
    """Slices that are worked all the time, of a flow whose group the leader of features-0 coordinates."""
    leader, keepers = cluster.leaders("features")[0], cluster.leaders("__consumer_offsets")
    names = (f"sliced-{number}" for number in range(1_000))
    flow = next(name for name in names if keepers[java_hash(name) % len(keepers)] is leader)
    folder: Path = tmp_path_factory.mktemp("workers")
    with slicing(cluster.settings, folder, report, flow) as work:
        yield work


def test_the_cluster_is_what_the_checks_ask_for(cluster: Cluster) -> None:
    """Three replicas of every topic, two of them in sync for a write, also of progress and transactions."""
    assert checks.faults(cluster.settings) == []
    _, described = cluster.described(["features", "__consumer_offsets", "__transaction_state"])
    assert {len(p["replica_nodes"]) for topic in described for p in topic["partitions"]} == {3}


def test_a_broker_of_three_is_killed(cluster: Cluster, work: Sliced, rounds: int, name: str) -> None:
    """The other two take over while it is dead: what was acknowledged is there, and work goes on."""
    for _ in range(rounds):
        work.ready()
        node = VICTIMS[name](cluster, work)
        node.kill()
        work.recovered(name, time.monotonic())
        node.start(cluster.settings)
        until(cluster.whole, BACK_SECONDS, "the broker's return")
    work.judged(name)
