"""Brokers of a test: KRaft nodes, broker and controller in one, that can be killed and started again."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError

from infra.errors import LoopError
from infra.kafka import clients, topics
from infra.settings import Settings, inherited_environment, load_settings
from infra.stack import broker, jars, ports
from infra.stack.java import java
from tests.faults.parts import until
from tests.faults.proxy import Proxy

HOST = "127.0.0.1"
HEAP = "320m"
UP_SECONDS = 60
END_SECONDS = 10
REPLACED = "controller.quorum.bootstrap.servers"


def tied(command: list[str]) -> list[str]:
    """Let a process end with this one, where the machine can do that."""
    return ["setpriv", "--pdeathsig=KILL", "--", *command] if shutil.which("setpriv") else command


def free_ports(number: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(number)]
    found = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return found


@dataclass
class Node:
    """One broker: where it is, and its process while it runs."""

    number: int
    home: Path
    port: int
    inner: int
    """For the brokers among themselves, which no proxy stands in front of."""
    controller: int
    advertised: int
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def properties(self, local: Settings, voters: str, copies: int) -> str:
        """Write the local broker's configuration with what a cluster needs."""
        told = dict(line.split("=", 1) for line in broker.properties(local).splitlines())
        del told[REPLACED]
        ours = f"INNER://{HOST}:{self.inner},CONTROLLER://{HOST}:{self.controller}"
        told |= {
            "node.id": str(self.number),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{HOST}:{self.port},{ours}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.advertised},{ours}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "INNER",
            "log.dirs": str(self.home / "data"),
            "default.replication.factor": str(copies),
            "min.insync.replicas": str(fewest := max(1, copies - 1)),
            "offsets.topic.replication.factor": str(copies),
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str(fewest),
        }
        return "".join(f"{name}={text}\n" for name, text in told.items())

    def start(self, settings: Settings) -> None:
        """Start the broker, for the first time or again."""
        with (self.home / "broker.log").open("ab") as log:
            command = tied(broker._command(settings, self.home, HEAP))
            environment = inherited_environment()
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill the broker as the kernel does when memory runs out."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=END_SECONDS)
            self.process = None


class Cluster:
    """Some brokers and the settings with which clients find them."""

    def __init__(self, folder: Path, count: int, proxy: Proxy | None = None) -> None:
        """Write every configuration; clients reach the first broker through the proxy, if there is one."""
        self.nodes = [_node(folder, number + 1) for number in range(count)]
        if proxy:
            proxy.target, self.nodes[0].advertised = self.nodes[0].port, proxy.port
        bootstrap = ",".join(f"{HOST}:{node.advertised}" for node in self.nodes)
        self.settings = load_settings(folder, kafka_bootstrap=bootstrap, replication=count)
        voters = ",".join(f"{node.number}@{HOST}:{node.controller}" for node in self.nodes)
        for node in self.nodes:
            node.home.mkdir()
            (node.home / "server.properties").write_text(node.properties(self.settings, voters, count))

    def format(self) -> None:
        """Format every broker's storage for the same cluster."""
        name = broker._new_cluster_id()
        tool = java(self.settings, jars.BROKER, "kafka.tools.StorageTool", "format", "--cluster-id", name)
        commands = [[*tool, "--config", str(node.home / "server.properties")] for node in self.nodes]
        made = [subprocess.Popen(tied(c), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for c in commands]
        for one in made:
            told, _ = one.communicate(timeout=broker.FORMAT_SECONDS)
            assert one.returncode == 0, told.decode()[-500:]

    def whole(self) -> bool:
        """Tell whether every broker is there and every replica is in step."""
        if any(ports.free(HOST, node.port) for node in self.nodes):
            return False
        try:
            alive, described = self.described()
        except (LoopError, KafkaError):
            return False
        there = [one for topic in described for one in topic["partitions"]]
        return alive == len(self.nodes) and all(len(p["isr_nodes"]) == len(p["replica_nodes"]) for p in there)

    def described(self, names: Sequence[str] = ()) -> tuple[int, list[dict[str, Any]]]:
        """Ask how many brokers there are, and about topics."""
        admin = clients.admin(self.settings)
        try:
            wanted = list(names) or sorted(admin.list_topics())
            alive = len(admin.describe_cluster()["brokers"])
            return alive, admin.describe_topics(wanted) if wanted else []
        finally:
            admin.close()

    def leaders(self, topic: str) -> dict[int, Node]:
        """Tell which broker leads each partition."""
        _, (found,) = self.described([topic])
        nodes = {node.number: node for node in self.nodes}
        return {p["partition_index"]: nodes[p["leader_id"]] for p in found["partitions"]}

    def coordinator(self, topic: str, name: str) -> Node:
        """Find the broker that coordinates a group or a transactional id, by the topic that keeps it."""
        leaders = self.leaders(topic)
        return leaders[java_hash(name) % len(leaders)]


def _node(folder: Path, number: int) -> Node:
    port, inner, controller = free_ports(3)
    return Node(number, folder / str(number), port, inner, controller, advertised=port)


def java_hash(text: str) -> int:
    """Compute the absolute value of Java's `String.hashCode`."""
    value = 0
    for letter in text:
        value = (31 * value + ord(letter)) & 0xFFFFFFFF
    return abs(value - 2**32 if value >= 2**31 else value)


@contextmanager
def running_cluster(folder: Path, count: int, proxy: Proxy | None = None) -> Iterator[Cluster]:
    """Brokers with all topics on them; none of their processes is left."""
    cluster = Cluster(folder, count, proxy)
    cluster.format()
    try:
        for node in cluster.nodes:
            node.start(cluster.settings)
        until(cluster.whole, UP_SECONDS, f"starting {count} brokers")
        topics.ensure(cluster.settings)
        yield cluster
    finally:
        for node in cluster.nodes:
            node.kill()
