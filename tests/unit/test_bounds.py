"""Questions to a client that never answers: each is given up, and so is whoever asked."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from infra.errors import TryAgainError
from infra.kafka import checks, clients, follow, scanning, tailing, topics
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors import membership
from tasks import training

SHORT_SECONDS = 0.2
TOO_LATE_SECONDS = 6.0
"""How long a call hangs: far longer than its bound, and not for ever, so that no thread is left."""


class Hung:
    """A client of which one call hangs; the others answer as if one empty topic were all there is."""

    ANSWERS: dict[str, Any] = {  # noqa: RUF012
        "partitions_for_topic": {0},
        "poll": {},
        "position": 0,
        "list_topics": ["raw-data"],
        "describe_topics": [{"name": "raw-data", "partitions": [None]}],
        "describe_cluster": {"brokers": []},
    }

    def __init__(self, call: str, never: Callable[[], object]) -> None:
        """Let one call hang."""
        self.call, self.never = call, never

    def __getattr__(self, name: str) -> Any:
        """Hang, or answer."""

        def call(*about: Any, **_: Any) -> Any:
            if name == self.call:
                self.never()
            if name.endswith("_offsets"):
                return dict.fromkeys(about[0], 0)
            return self.ANSWERS.get(name)

        return call


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], object]]:
    """What a hung call does, with every bound made short; it ends with the test."""
    for module in (checks, follow, membership, scanning, tailing, topics):
        for name in ("ANSWER_SECONDS", "ASK_SECONDS", "CREATE_SECONDS", "START_SECONDS", "STALLED_SECONDS"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, SHORT_SECONDS)
    event = threading.Event()
    yield partial(event.wait, TOO_LATE_SECONDS)
    event.set()


def _project(settings: Settings) -> None:
    stop = threading.Event()
    threading.Timer(TOO_LATE_SECONDS / 2, stop.set).start()
    next(follow._batches(settings, ["alerts"], lambda _: {}, stop, 0.0))


def _tail(settings: Settings) -> None:
    next(tailing.follow(settings, "alerts", seconds=TOO_LATE_SECONDS / 2))


def _scan(settings: Settings) -> None:
    with scanning.reader(settings) as looking:
        list(scanning.scan(looking, scanning.spots_of(settings, ["alerts"])[0], 0, 1))


def _train(settings: Settings) -> None:
    loop: Any = SimpleNamespace(settings=settings)
    training._ends(loop)


def _keep(settings: Settings) -> None:
    membership.Membership(settings, Route("sensor-test", "test", ("alerts",)))._check_partitions()


CASES = [
    *((_project, call) for call in ("partitions_for_topic", "beginning_offsets", "end_offsets")),
    *((_project, call) for call in ("poll", "position")),
    *((_tail, call) for call in ("partitions_for_topic", "end_offsets", "poll")),
    *((_scan, call) for call in ("poll", "position")),
    *((checks.faults, call) for call in ("describe_cluster", "describe_topics")),
    *((topics.ensure, call) for call in ("list_topics", "create_topics", "committed", "commit")),
    (topics.require_counts, "describe_topics"),
    (_keep, "partitions_for_topic"),
    (_train, "list_partition_offsets"),
]


@pytest.mark.parametrize(("ask", "call"), CASES, ids=[f"{ask.__name__}-{call}" for ask, call in CASES])
def test_a_question_that_hangs_is_given_up(
    never: Callable[[], object], monkeypatch: pytest.MonkeyPatch, ask: Any, call: str
) -> None:
    """It is told which, soon, and can be asked again."""
    monkeypatch.setattr(clients, "consumer", lambda *_, **__: Hung(call, never))
    monkeypatch.setattr(clients, "admin", lambda *_: Hung(call, never))
    monkeypatch.setattr(topics, "_ever_committed", lambda *_: False)
    began = time.monotonic()
    with pytest.raises(TryAgainError, match=r"gave no answer within 0\.2 s"):
        ask(load_settings())
    assert time.monotonic() - began < TOO_LATE_SECONDS / 2
