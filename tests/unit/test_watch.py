"""The watch's own loop: who tells is ended with it, and goes on after whatever fails."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from flows import watch as module
from infra.errors import StopError
from tests.copies import eventually


class World:
    """The adapters, of which the watch takes those that don't wait."""

    def impatient(self) -> str:
        """Give them a name."""
        return "impatient"


def test_who_tells_goes_on_after_any_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that ended would leave people untold, and nobody would know."""
    ended, calls = threading.Event(), list[int]()

    def deliver(_loop: object) -> None:
        calls.append(len(calls))
        if len(calls) < 3:
            message = "a wrong URL"
            raise StopError(message)

    monkeypatch.setattr(module, "deliver", deliver)
    monkeypatch.setattr(module, "TELL_SECONDS", 0.001)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module.outbox, "forget", lambda *_: 0)
    loop: Any = SimpleNamespace(database=None)
    thread = threading.Thread(target=module.keep_telling, args=(loop, ended), daemon=True)
    thread.start()
    eventually(lambda: len(calls) >= 5, "more deliveries", 10)
    ended.set()
    thread.join(10)
    assert not thread.is_alive()


def test_looks_keep_their_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a look takes, up to the beat; one that takes longer leaves others a rest."""
    took, waited, clock = [0.0, 2.0, 9.0], list[float](), SimpleNamespace(now=100.0)

    class Slow:
        def __init__(self, _loop: object) -> None: ...

        def look(self, _now: object) -> None:
            clock.now += took.pop(0)

        def close(self) -> None: ...

    monkeypatch.setattr(module, "connect", World)
    monkeypatch.setattr(module, "Watcher", Slow)
    monkeypatch.setattr(module, "keep_telling", lambda *_: None)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(module, "stopping", lambda: not took)
    monkeypatch.setattr(module, "wait", waited.append)
    module.watch.fn()
    assert waited == [module.LOOK_SECONDS, module.LOOK_SECONDS - 2, module.SHORTEST_REST]


def test_a_watch_that_crashes_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started again within seconds: a thread each time would be many in a night."""
    begun = threading.Event()

    class Broken:
        def __init__(self, _loop: object) -> None: ...

        def look(self, _now: object) -> None:
            begun.wait(10)
            raise ZeroDivisionError

        def close(self) -> None: ...

    def tells(_loop: object, ended: threading.Event) -> None:
        begun.set()
        ended.wait(10)

    monkeypatch.setattr(module, "connect", World)
    monkeypatch.setattr(module, "Watcher", Broken)
    monkeypatch.setattr(module, "keep_telling", tells)
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        module.watch.fn()
    assert threading.active_count() == before


def test_neither_who_looks_nor_who_tells_waits_for_a_database_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both have the adapters that give up on it."""
    told, given = threading.Event(), list[object]()

    class Watcher:
        def __init__(self, loop: object) -> None:
            given.append(loop)

        def close(self) -> None: ...

    def tells(loop: object, _ended: threading.Event) -> None:
        given.append(loop)
        told.set()

    monkeypatch.setattr(module, "connect", World)
    monkeypatch.setattr(module, "Watcher", Watcher)
    monkeypatch.setattr(module, "keep_telling", tells)
    monkeypatch.setattr(module, "stopping", lambda: told.wait(10))
    module.watch.fn()
    assert given == ["impatient", "impatient"]
