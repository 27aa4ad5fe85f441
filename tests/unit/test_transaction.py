"""Calls of the client that never return: each is given up after the transaction's time, and told apart."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import InvalidProducerEpochError, KafkaError, KafkaTimeoutError, ProducerFencedError
from prometheus_client import REGISTRY

from infra.errors import OutcomeUnknownError, SupersededError, TryAgainError
from infra.kafka import clients, transaction
from infra.kafka.bounded import answered, bounded
from infra.kafka.pool import Pool, WarmProducer
from infra.kafka.records import Outgoing
from infra.kafka.transaction import Progress, transact
from infra.settings import Settings, load_settings

SHORT_MS = 300
TOO_LATE_SECONDS = 8.0
"""Far above what a bound of SHORT_MS takes, for a call that would not return at all."""
PROGRESS = Progress("test", {("features", 0): 7}, "run")


@pytest.fixture
def settings() -> Settings:
    """Time-outs shorter than the settings allow."""
    return load_settings().model_copy(update={"transaction_timeout_ms": SHORT_MS})


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pool make a producer without asking a broker for its topics."""
    monkeypatch.setattr("infra.kafka.pool.require_counts", lambda _: None)


@pytest.fixture
def never() -> Iterator[Callable[[], object]]:
    """What a hung call does; it ends with the test, so that no thread is left, or far too late."""
    event = threading.Event()
    yield partial(event.wait, TOO_LATE_SECONDS)
    event.set()


class Client:
    """A transactional producer that does everything at once, but for one call that hangs or fails."""

    def __init__(self, call: str, does: Any) -> None:
        """Replace one call."""
        self.config = {"transactional_id": "test.features-0"}
        self.called: list[str] = []
        self.call, self.does = call, does
        force = partial(self.called.append, "force_close")
        self._sender = SimpleNamespace(force_close=force, join=lambda _: None)

    def __getattr__(self, name: str) -> Any:
        """Note every call."""

        def call(*_: Any, **__: Any) -> Any:
            self.called.append(name)
            if name == self.call:
                self.does()
            place = SimpleNamespace(topic="alerts", partition=0, offset=len(self.called))
            return SimpleNamespace(succeeded=lambda: True, value=place, exception=None)

        return call


def commit(settings: Settings, client: Client) -> None:
    """Commit a record and progress."""
    record = Outgoing("alerts", b"rule", b"{}")
    transact(settings, WarmProducer(client), [record], PROGRESS)  # type: ignore[arg-type]


@pytest.mark.parametrize("call", ["send_offsets_to_transaction", "commit_transaction"])
def test_a_call_that_hangs_is_given_up(settings: Settings, never: Callable[[], object], call: str) -> None:
    """Its outcome is unknown, the producer is thrown away, and nobody waits longer than its time."""
    client = Client(call, never)
    began = time.monotonic()
    with pytest.raises(OutcomeUnknownError, match=r"gave no answer within 0\.3 s"):
        commit(settings, client)
    assert time.monotonic() - began < TOO_LATE_SECONDS / 2
    assert client.called[-1] == "close"
    assert "abort_transaction" not in client.called


def test_an_abort_that_hangs_is_given_up(
    settings: Settings, never: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure that made it necessary is what is told."""
    monkeypatch.setattr(transaction, "ABORT_SECONDS", SHORT_MS / 1000)
    client = Client("flush", _raise(KafkaTimeoutError("flush")))
    hang = client.__getattr__("abort_transaction")
    client.abort_transaction = lambda: (hang(), never())  # type: ignore[attr-defined]
    began = time.monotonic()
    with pytest.raises(TryAgainError, match="nothing of it is visible"):
        commit(settings, client)
    assert time.monotonic() - began < TOO_LATE_SECONDS / 2
    assert client.called[-3:] == ["abort_transaction", "force_close", "close"]


def counted(name: str, **labels: str) -> float:
    """Give a counter's value."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_is_committed_is_counted_and_what_is_not_by_why(settings: Settings) -> None:
    """Records and bytes of the group's flow only when they can be read; a failure under its kind."""
    out = {"flow": "test", "direction": "out"}
    names = ("nepse_records_total", "nepse_bytes_total")
    records, size = (counted(name, **out) for name in names)
    commit(settings, Client("", None))
    assert [counted(name, **out) for name in names] == [records + 1, size + 2]
    reasons = {"flush": ("failed", KafkaTimeoutError()), "commit_transaction": ("fenced", FENCED)}
    for call, (reason, error) in reasons.items():
        before = counted("nepse_transaction_aborts_total", flow="test", reason=reason)
        with pytest.raises((TryAgainError, SupersededError)):
            commit(settings, Client(call, _raise(error)))
        assert counted("nepse_transaction_aborts_total", flow="test", reason=reason) == before + 1
    assert [counted(name, **out) for name in names] == [records + 1, size + 2]


@pytest.mark.usefixtures("uncounted")
def test_an_init_that_hangs_is_given_up(
    settings: Settings, never: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer that never got its epoch is thrown away."""
    client = Client("init_transactions", never)
    monkeypatch.setattr("infra.kafka.clients.producer", lambda *_: client)
    with pytest.raises(OutcomeUnknownError, match="init_transactions of x"):
        Pool(settings).new_producer("x")
    assert client.called == ["init_transactions", "force_close", "close"]


def _raise(error: BaseException) -> Any:
    def fail() -> None:
        raise error

    return fail


FENCED = ProducerFencedError()
WRAPPED = KafkaError("Cannot perform send because at least one previous request has failed", FENCED)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("send_offsets_to_transaction", FENCED),
        ("commit_transaction", InvalidProducerEpochError()),
        ("flush", FENCED),
        ("send", WRAPPED),
    ],
)
def test_who_is_fenced_is_superseded_and_aborts_nothing(
    settings: Settings, call: str, error: KafkaError
) -> None:
    """What is open under this id is a newer process's: it is no longer ours to abort."""
    client = Client(call, _raise(error))
    with pytest.raises(SupersededError, match=r"a newer process has taken over test\.features-0"):
        commit(settings, client)
    assert client.called[-1] == "close"
    assert "abort_transaction" not in client.called


def test_a_record_that_was_fenced_is_told_as_superseded(settings: Settings) -> None:
    """Its future holds the reason: "try again" would let a zombie fight its successor."""
    client = Client("", None)
    lost = SimpleNamespace(succeeded=lambda: False, value=None, exception=ProducerFencedError())
    client.send = lambda *_: lost  # type: ignore[attr-defined]
    with pytest.raises(SupersededError, match="a newer process"):
        commit(settings, client)
    assert "abort_transaction" not in client.called


def test_a_producer_that_can_not_be_ended_hides_nothing(settings: Settings) -> None:
    """What is told is why it was thrown away."""
    client = Client("close", _raise(KafkaTimeoutError("flush")))
    client.commit_transaction = _raise(ProducerFencedError())  # type: ignore[attr-defined]
    with pytest.raises(SupersededError, match="a newer process"):
        commit(settings, client)
    assert client.called[-1] == "close"


@pytest.mark.usefixtures("uncounted")
def test_an_init_that_the_client_gives_up_is_an_outage(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker may be there and the coordinator not: it is tried again."""
    client = Client("init_transactions", _raise(KafkaTimeoutError("init")))
    monkeypatch.setattr("infra.kafka.clients.producer", lambda *_: client)
    with pytest.raises(TryAgainError, match="x could not be initialised"):
        Pool(settings).new_producer("x")
    assert client.called[-1] == "close"


@pytest.mark.parametrize("make", [clients.plain_producer, lambda s: clients.producer(s, "x")])
def test_a_send_waits_no_longer_than_a_delivery(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    """The client's own bound of 60 s outlasts a transaction three times."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(clients, "KafkaProducer", told.update)
    make(load_settings())
    assert 1_000 <= told["max_block_ms"] < told["delivery_timeout_ms"] < 20_000


def test_flows_compress_and_people_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow's batches are compressed where the codec is; what people send is written as they give it."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(clients, "KafkaProducer", told.update)
    clients.plain_producer(load_settings())
    assert "compression_type" not in told
    clients.producer(load_settings(), "x")
    assert told["compression_type"] == ("zstd" if find_spec("zstandard") else None)


def test_a_question_that_hangs_is_asked_again() -> None:
    """It changed nothing, so its outcome need not be found out; a failure comes through as it is."""
    gate = threading.Event()
    with pytest.raises(TryAgainError, match=r"the offsets gave no answer within 0\.1 s"):
        answered(gate.wait, 0.1, "the offsets")
    gate.set()
    assert bounded(lambda: 7, 1, "seven") == 7
    with pytest.raises(KafkaTimeoutError):
        bounded(_raise(KafkaTimeoutError("x")), 1, "a failure")
