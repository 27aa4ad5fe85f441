"""A cluster is reached by several addresses, and its topics are made for several brokers."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.topics import TOPICS
from infra.errors import TryAgainError
from infra.kafka.topics import _new
from infra.settings import load_settings
from infra.stack.probes import answers


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


@pytest.mark.parametrize("others", ["", "127.0.0.1:1,"])
def test_one_address_of_several_is_enough(server: socket.socket, others: str) -> None:
    """The first broker of a list may be the one that is away; the next one is connected to, and left."""
    answers(f"{others}127.0.0.1:{server.getsockname()[1]}")
    connection, _ = server.accept()
    with connection:
        assert connection.recv(1) == b""


def test_no_address_at_all_is_told() -> None:
    """Nobody listens on any."""
    with pytest.raises(TryAgainError, match=r"nothing listens on 127\.0\.0\.1:1,127\.0\.0\.1:2"):
        answers("127.0.0.1:1,127.0.0.1:2")


@pytest.mark.parametrize(("replication", "fewest"), [(1, None), (2, None), (3, "2")])
def test_topics_have_the_replicas_asked_for(tmp_path: Path, replication: int, fewest: str | None) -> None:
    """From three on, two have to be in sync for a write; below it one broker away would stop all."""
    made = _new(load_settings(tmp_path, replication=replication), TOPICS["features"])
    assert made.replication_factor == replication
    assert made.topic_configs.get("min.insync.replicas") == fewest
    assert made.topic_configs["retention.ms"] == "-1"
