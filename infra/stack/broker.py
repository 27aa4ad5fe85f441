"""Apache Kafka as one KRaft node, on the jars and the Java that come without an installer."""

import base64
import secrets
import subprocess
import sys
from pathlib import Path
from string import Template

from infra.errors import StackError
from infra.settings import Settings
from infra.stack import jars, probes
from infra.stack.java import java
from infra.stack.parts import Part

FORMAT_SECONDS = 60
LOG_CONFIGURATION = Path(__file__).with_name("broker_log.yaml")

# A year, because a group without members forgets its offsets 7 days after the last commit by default and
# an exchange may be closed for longer. 15 minutes is the longest transaction a client may ask for.
PROPERTIES = Template("""\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=$host:$controller
listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller
advertised.listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller
log.dirs=$data
auto.create.topics.enable=false
message.max.bytes=5242880
replica.fetch.max.bytes=5242880
default.replication.factor=1
min.insync.replicas=1
unclean.leader.election.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.retention.minutes=525600
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.max.timeout.ms=900000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
log.retention.hours=-1
""")


def parts(settings: Settings) -> list[Part]:
    """Describe the broker."""
    port, controller = settings.port(9092), settings.port(9093)
    home = settings.home.resolve() / "kafka"
    external = settings.kafka_bootstrap is not None
    command = [] if external else _command(settings, home)
    return [
        Part(
            name="kafka",
            command=tuple(command),
            version=jars.KAFKA_VERSION,
            url=settings.bootstrap,
            ports={"Kafka clients": port, "Kafka controller": controller},
            before=format_storage,
            ready=ready,
            after=create_topics,
            external=external,
        )
    ]


def _command(settings: Settings, home: Path, heap: str = "512m") -> list[str]:
    if not jars.classpath(settings, jars.BROKER):  # status and doctor plan before anything is fetched
        return [sys.executable, "-c", "raise SystemExit('the jars are missing')"]
    line = java(settings, jars.BROKER, "kafka.Kafka", str(home / "server.properties"), heap=heap)
    logging = (f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}", "-Xms128m")
    # A local broker lives for minutes or hours: a second compiler and a concurrent collector take more of two
    # processors than they give back.
    frugal = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    return [line[0], *logging, *frugal, *line[1:]]


def properties(settings: Settings) -> str:
    """Write the broker's configuration."""
    return PROPERTIES.substitute(
        host=settings.host,
        port=settings.port(9092),
        controller=settings.port(9093),
        data=settings.home.resolve() / "kafka" / "data",
    )


def format_storage(settings: Settings) -> None:
    """Write the configuration, and format the storage the first time; the cluster id then stays.

    Raises:
        StackError: the storage tool refused.
    """
    home = settings.home.resolve() / "kafka"
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "server.properties"
    configuration.write_text(properties(settings))
    if (home / "data" / "meta.properties").exists():
        return
    arguments = ("format", "--standalone", "--cluster-id", _new_cluster_id(), "--config", str(configuration))
    command = java(settings, jars.BROKER, "kafka.tools.StorageTool", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)  # noqa: S603
    if done.returncode:
        message = f"Kafka could not format {home / 'data'}: {(done.stderr or done.stdout).strip()[-400:]}"
        raise StackError(message)


def _new_cluster_id() -> str:
    raw = secrets.token_bytes(16)
    # A first bit of 0 keeps the text from beginning with a dash, which the tool would take for an option.
    return base64.urlsafe_b64encode(bytes([raw[0] & 0x7F]) + raw[1:]).decode().rstrip("=")


def ready(settings: Settings) -> None:
    """Ask the broker for its cluster; raises while it has no answer."""
    probes.answers(settings.bootstrap)  # at once, where a client would try for its whole timeout
    from infra.kafka import clients  # noqa: PLC0415 - 0.2 s to import, not for `nepse --help`

    admin = clients.admin(settings)
    try:
        admin.describe_cluster()
    finally:
        admin.close()


def create_topics(settings: Settings) -> None:
    """Make sure that the topics are there and are what the code expects."""
    from infra.kafka import topics  # noqa: PLC0415 - the Kafka client again

    topics.ensure(settings)


def wrong_settings(settings: Settings) -> list[str]:
    """Name the settings of the broker and its topics that are not what the loop relies on."""
    from infra.kafka import checks  # noqa: PLC0415

    return checks.faults(settings)
