"""Keeping sensors running: what comes back by itself, what waits, and what does not."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect.states import Cancelled

from infra.errors import StopError, SupersededError, TryAgainError
from infra.settings import load_settings
from sensors import host


class Clock:
    """Waits without waiting, and says how long it would have been."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, waits: int) -> None:
        """Ask for a stop after so many waits."""
        self.waited: list[float] = []
        self.most = waits
        monkeypatch.setattr(host, "wait", self.wait)
        monkeypatch.setattr(host, "stopping", self.stopping)

    def wait(self, seconds: float) -> bool:
        """Wait."""
        self.waited.append(seconds)
        return self.stopping()

    def stopping(self) -> bool:
        """Tell whether it was asked for."""
        return len(self.waited) >= self.most


def failing(error: Exception, log: list[str]) -> Callable[[], None]:
    """Make a sensor that ends with an error each time."""

    def run() -> None:
        log.append("started")
        raise error

    return run


def test_a_sensor_that_crashes_is_running_again_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it crashes, and whatever it was."""
    clock, starts = Clock(monkeypatch, waits=12), list[str]()
    host.keep_running("sensor", failing(ZeroDivisionError(), starts), lambda: True)
    assert len(starts) == 12
    assert clock.waited[0] < 2
    assert max(clock.waited) < 45


def test_an_outage_is_no_crash(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The sensor ends as away, which no automation counts, and begins again; no fault is logged."""
    monkeypatch.setattr(host, "close_orphans", lambda *_: None)
    monkeypatch.setattr(host, "create_run", lambda *_, **__: SimpleNamespace(parameters={}))
    monkeypatch.setattr(host, "execute", lambda *_: Cancelled(name="Away", message="no broker"))
    clock = Clock(monkeypatch, waits=3)
    run = partial(host.run_once, load_settings(Path("nowhere")), "sensor-predict")
    host.keep_running("sensor-predict", run, lambda: True)
    assert len(clock.waited) == 3
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "no broker" in caplog.text


def test_what_a_person_has_to_mend_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A StopError ends it."""
    clock, starts = Clock(monkeypatch, waits=12), list[str]()
    host.keep_running("sensor", failing(StopError("a gap"), starts), lambda: True)
    assert (starts, clock.waited) == (["started"], [])


def test_a_superseded_sensor_comes_back_only_to_a_free_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one name do not displace each other in turn; a broker that is away answers nothing."""
    clock, starts = Clock(monkeypatch, waits=20), list[str]()
    answers: list[bool | Exception] = [False, TryAgainError("no broker"), False, True]

    def is_free() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert starts == ["started"]
        return answer

    def run() -> None:
        if starts:
            message = "enough"
            raise StopError(message)
        failing(SupersededError("displaced"), starts)()

    host.keep_running("sensor", run, is_free)
    assert clock.waited[:4] == [host.PLACE_SECONDS] * 4
    assert answers == []


def test_a_question_that_fails_oddly_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of a superseded sensor must outlive whatever the client makes of the broker's answer."""
    clock, answers = Clock(monkeypatch, waits=20), [KeyError("members"), True]

    def is_free() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    host.await_place(is_free)
    assert (answers, len(clock.waited)) == ([], 2)
