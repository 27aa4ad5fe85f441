"""How a sensor names its attempts at a slice, and awaits what a worker does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from prefect.exceptions import FlowRunWaitTimeout, PrefectException
from prefect.states import Completed, Failed, Running, Scheduled

from events.payloads import OffsetRange
from infra import prefect_orphans, prefect_runs
from infra.kafka.pool import Pool
from infra.settings import load_settings
from infra.wiring import Route
from sensors import dispatch
from sensors.dispatch import Dispatcher
from sensors.failures import Outcome

SPAN = OffsetRange(topic="features", partition=0, start=3, end=4)
NEXT = OffsetRange(topic="features", partition=0, start=4, end=5)


class Server:
    """Runs by their idempotency keys, as the Prefect server keeps them; all of them fail."""

    def __init__(self) -> None:
        """No run is there."""
        self.runs: dict[str, Any] = {}
        self.keys: list[str] = []
        self.asked: list[str] = []

    def create(self, *_: Any, tags: list[str], idempotency_key: str, **__: Any) -> Any:
        """Give back the run of a known key."""
        self.keys.append(idempotency_key)
        self.asked.append(idempotency_key.rpartition(":")[2])
        run = SimpleNamespace(id=len(self.runs), state=None, tags=tags)
        return self.runs.setdefault(idempotency_key, run)

    @staticmethod
    def execute(_name: str, run: Any, _parameters: Any) -> Any:
        """Fail."""
        run.state = Failed(message="KeyError: x")
        return run.state


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A Prefect server, beside a broker that tells which topics it has."""
    server = Server()
    monkeypatch.setattr(prefect_runs, "create_run", server.create)
    monkeypatch.setattr(prefect_runs, "execute", server.execute)
    monkeypatch.setattr(dispatch, "identity_tag", lambda *_: "topics:first")
    return server


@pytest.fixture
def dispatcher(tmp_path: Path) -> Dispatcher:
    """The dispatcher of an inline flow."""
    return Dispatcher(load_settings(tmp_path), Route("sensor-predict", "predict", ("features",)))


@pytest.fixture
def worker(tmp_path: Path) -> Dispatcher:
    """The dispatcher of a flow that a worker runs."""
    route = Route("sensor-retrain", "retrain", ("training",), mode="worker")
    return Dispatcher(load_settings(tmp_path), route)


def test_a_retry_goes_on_counting_where_the_last_one_was(server: Server, dispatcher: Dispatcher) -> None:
    """Every attempt has a run of its own; what a retry asks the server does not grow with the attempts."""
    for _ in range(4):
        dispatcher([SPAN])
    dispatcher([NEXT])
    assert server.asked == ["1", "1", "2", "2", "3", "3", "4", "1"]
    assert len(server.runs) == 5


def test_a_worker_s_transaction_is_left_alone(worker: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be alive, and an hour's work; that of an inline run is nobody's once it is asked for."""
    taken, gone = list[str](), list[str]()

    class Spy(Pool):
        def new_producer(self, transactional_id: str) -> Any:
            taken.append(transactional_id)
            return SimpleNamespace(discard=lambda: None)

    own = SimpleNamespace(take_producer=lambda name: SimpleNamespace(discard=lambda: gone.append(name)))
    monkeypatch.setattr(dispatch, "connect", lambda: SimpleNamespace(pool=own))
    monkeypatch.setattr(dispatch, "Pool", Spy)
    worker.release((TopicPartition("training", 0),))
    assert taken == []
    pair = TopicPartition("predictions", 2), TopicPartition("actuals", 2)
    Dispatcher(worker.settings, Route("sensor-join", "join-errors", PAIR, paired=True)).release(pair)
    assert taken == gone == ["join-errors.2"], "the warm producer of this process is fenced, too"


def test_a_topic_that_was_made_anew_has_runs_of_its_own(
    server: Server, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same offsets of another topic are another slice, and its first attempt."""
    dispatcher([SPAN])
    monkeypatch.setattr(dispatch, "identity_tag", lambda *_: "topics:second")
    dispatcher.tried.clear()
    dispatcher([SPAN])
    assert server.keys == [
        "topics:first:predict:features-0 [3, 4):1",
        "topics:second:predict:features-0 [3, 4):1",
    ]
    assert [run.tags[-1] for run in server.runs.values()] == ["topics:first", "topics:second"]


def test_a_refusal_of_the_prefect_server_is_an_outage(
    server: Server, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of a run says nothing about the records."""

    def refuse(*_: Any) -> None:
        message = "no such state"
        raise PrefectException(message)

    monkeypatch.setattr(prefect_runs, "execute", refuse)
    result = dispatcher([SPAN])
    assert (result.outcome, result.why) == (Outcome.AGAIN, "PrefectException: no such state")
    assert len(server.runs) == 1


def under_way(state: Any, end: int = 4, tag: str = "topics:first") -> Any:
    """A run that an earlier sensor left to the worker."""
    slices = [{"topic": "training", "partition": 0, "start": 3, "end": end}]
    return SimpleNamespace(id=f"run to {end}", state=state, tags=[tag], parameters={"slices": slices})


PAIR = ("predictions", "actuals")
HOUR_AGO = datetime.now(UTC) - timedelta(seconds=dispatch.WORKER_SECONDS + 60)
ASKED = OffsetRange(topic="training", partition=0, start=3, end=4)


@pytest.mark.parametrize(
    ("there", "awaited", "outcome"),
    [  # made in the test: a state is of the moment at which it is made
        (lambda: [under_way(Running())], "run to 4", Outcome.DONE),
        (lambda: [under_way(Scheduled())], "run to 4", Outcome.DONE),
        (lambda: [under_way(Running(), end=9)], "run to 9", Outcome.REPLAN),
        (lambda: [under_way(Running(timestamp=HOUR_AGO))], "new", Outcome.DONE),
        (lambda: [under_way(Running(), tag="topics:former")], "new", Outcome.DONE),
        (list, "new", Outcome.DONE),
    ],
)
def test_a_sensor_that_comes_back_awaits_the_run_that_is_there(
    server: Server,
    worker: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
    *,
    there: Callable[[], list[Any]],
    awaited: str,
    outcome: Outcome,
) -> None:
    """A second training beside it would be waste; one that nobody will end is not waited for."""
    waited: list[str] = []

    def create(_name: str, parameters: Any, state: Any, **options: Any) -> Any:
        return SimpleNamespace(id="new", state=state, tags=options["tags"], parameters=parameters)

    def wait(run_id: str, *_: Any) -> Any:
        waited.append(run_id)
        return Completed()

    monkeypatch.setattr(prefect_orphans, "runs_in", lambda *_: there())
    monkeypatch.setattr(prefect_runs, "create_run", create)
    monkeypatch.setattr(prefect_runs, "wait", wait)
    result = worker([ASKED])
    assert (waited, result.run_id, result.outcome) == ([awaited], awaited, outcome)
    assert server.runs == {}


def test_a_worker_that_does_not_come_to_an_end_is_an_outage(
    server: Server, worker: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Perhaps no worker runs: the records are not at fault, and the sentence says where to look.

    Meanwhile it looks whether anybody executes the run at all.
    """
    waited: list[int] = []
    looked: list[Any] = []

    async def never(_run_id: Any, timeout: int) -> None:  # noqa: ASYNC109 - as Prefect's function has it
        waited.append(timeout)
        raise FlowRunWaitTimeout

    monkeypatch.setattr(prefect_orphans, "runs_in", lambda *_: [under_way(Running())])
    monkeypatch.setattr("prefect.flow_runs.wait_for_flow_run", never)
    monkeypatch.setattr(prefect_orphans, "close_orphans", lambda *asked: looked.append(asked))
    result = worker([ASKED])
    assert (result.outcome, sum(waited)) == (Outcome.AGAIN, dispatch.WORKER_SECONDS)
    assert max(waited) == prefect_runs.LOOK_SECONDS
    assert looked == [(worker.settings, "retrain")] * len(waited)
    assert "has not ended after 3600 s: is a worker running" in result.why
    assert server.runs == {}
