"""How runs are executed in our own processes."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from prefect import flow_engine

from infra import prefect_runs
from infra.settings import load_settings
from infra.stack import probes


def test_prefect_has_what_short_runs_switch_off() -> None:
    """The observer that is replaced exists under that name, and the stand-in lets the run go on at once."""
    assert callable(getattr(flow_engine, "observe_flow_run_suspension"))  # noqa: B009  (not exported)
    with prefect_runs._unobserved("run", "request"):
        entered = True
    assert entered


def test_a_command_closes_its_client_and_a_run_inside_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of a thread outlives what a run asks the server, and not the command."""
    settings, closed = load_settings(tmp_path), list[str]()
    monkeypatch.setattr(probes, "get_json", lambda _: {})
    monkeypatch.setattr(prefect_runs, "adopt", lambda _: None)
    with prefect_runs.at_server(settings):
        prefect_runs._THREAD.contexts = ExitStack()
        prefect_runs._THREAD.contexts.callback(closed.append, "closed")
        with prefect_runs.at_server(settings):
            pass
        assert closed == []
    assert closed == ["closed"]
    prefect_runs.release_thread()
    assert closed == ["closed"]
