"""How a sensor names its attempts at a slice."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Failed

from events.payloads import OffsetRange
from infra import prefect_runs
from infra.settings import load_settings
from infra.wiring import Route
from sensors.dispatch import Dispatcher

SPAN = OffsetRange(topic="features", partition=0, start=3, end=4)
NEXT = OffsetRange(topic="features", partition=0, start=4, end=5)


class Server:
    """Runs by their idempotency keys, as the Prefect server keeps them; all of them fail."""

    def __init__(self) -> None:
        """No run is there."""
        self.runs: dict[str, Any] = {}
        self.asked: list[str] = []

    def create(self, *_: Any, tags: list[str], idempotency_key: str, **__: Any) -> Any:
        """Give back the run of a known key."""
        self.asked.append(idempotency_key.rpartition(":")[2])
        run = SimpleNamespace(id=len(self.runs), state=None, tags=tags)
        return self.runs.setdefault(idempotency_key, run)

    @staticmethod
    def execute(_name: str, run: Any, _parameters: Any) -> Any:
        """Fail."""
        run.state = Failed(message="KeyError: x")
        return run.state


def test_a_retry_goes_on_counting_where_the_last_one_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every attempt has a run of its own; what a retry asks the server does not grow with the attempts."""
    server = Server()
    monkeypatch.setattr(prefect_runs, "create_run", server.create)
    monkeypatch.setattr(prefect_runs, "execute", server.execute)
    dispatcher = Dispatcher(load_settings(tmp_path), Route("sensor-predict", "predict", ("features",)))
    for _ in range(4):
        dispatcher([SPAN])
    dispatcher([NEXT])
    assert server.asked == ["1", "1", "2", "2", "3", "3", "4", "1"]
    assert len(server.runs) == 5
