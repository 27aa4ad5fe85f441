"""Runs whose process is gone, on a real Prefect server and a real broker."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Completed, Failed, Pending, Running
from prefect.testing.utilities import prefect_test_harness

from events.payloads import OffsetRange
from infra import prefect_runs
from infra.prefect_orphans import GONE, close_orphans, deaths
from infra.processes import host_tag, is_gone
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors.dispatch import Dispatcher
from tests.desk import Desk, vector

DEPLOYMENT = "predict"


@pytest.fixture(scope="module")
def server(servers: Settings) -> Iterator[Settings]:
    """A Prefect server with one deployment, beside the broker; the environment is put back afterwards."""
    before = dict(os.environ)
    with prefect_test_harness(server_startup_timeout=60), get_client(sync_client=True) as client:
        flow = client._client.post("/flows/", json={"name": DEPLOYMENT}).json()["id"]
        client.create_deployment(flow, DEPLOYMENT, entrypoint="flows.predict.predict")
        url = str(client.api_url).removesuffix("/").removesuffix("/api")
        prefect_runs.deployment.cache_clear()
        yield load_settings(servers.home, prefect_url=url)
    prefect_runs.deployment.cache_clear()
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def dead() -> str:
    """The tag of a process of this machine that has ended."""
    code = "from infra.processes import host_tag; print(host_tag())"
    return subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).strip()


def a_run(state: Any, tags: list[str], *slices: OffsetRange) -> Any:
    """Create a run of the deployment in some state."""
    parameters = {"slices": [one.model_dump() for one in slices]}
    run = prefect_runs.create_run(f"{DEPLOYMENT}/{DEPLOYMENT}", parameters, Pending(), tags=tags)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, state, force=True)
    return run.id


def ended(run_id: Any) -> tuple[str, str]:
    """Tell the state of a run and its message."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    assert state is not None
    return state.name, state.message or ""


def test_a_process_is_known_by_its_birth(dead: str) -> None:
    """Our own tag is alive, another machine's is not judged, a number that is used again does not fool."""
    kind, machine, pid, born = host_tag().split(":")
    assert not is_gone([host_tag(), "step"])
    assert is_gone([dead])
    assert not is_gone([dead.replace(socket.gethostname(), "elsewhere")])
    assert is_gone([f"{kind}:{machine}:{pid}:{int(born) - 500}"])


def test_orphans_end_as_what_became_of_them(server: Settings, desk: Desk, dead: str) -> None:
    """Committed slices are done, others crashed; what lives, is the worker's, or has ended, is left alone."""
    span = desk.feed(vector(), vector())
    desk.work(span.model_copy(update={"end": span.start + 1}))
    behind = span.model_copy(update={"end": span.start + 1})
    runs = {
        "done": a_run(Running(), [dead], behind),
        "crashed": a_run(Running(), [dead], span),
        "pending": a_run(Pending(), [dead], span),
        "ours": a_run(Running(), [host_tag()], span),
        "worker": a_run(Running(), ["attempt:2"], span),
        "again": a_run(Running(), [dead], span),
        "failed": a_run(Failed(message="on its data"), [dead], span),
        "complete": a_run(Completed(message="well"), [dead], behind),
    }
    with get_client(sync_client=True) as client:  # as when somebody presses "Retry" and the worker takes it
        for state in (Pending(), Running()):
            client.set_flow_run_state(runs["again"], state, force=True)
    closed = close_orphans(server, DEPLOYMENT, desk.flow)
    assert {one.run_id: one.state for one in closed} == {
        str(runs["done"]): "Completed",
        str(runs["crashed"]): "Crashed",
        str(runs["pending"]): "Crashed",
    }
    assert ended(runs["done"]) == ("Completed", f"its slices are committed; {GONE}")
    assert ended(runs["crashed"]) == ended(runs["pending"]) == ("Crashed", GONE)
    assert [ended(runs[name])[0] for name in ("ours", "worker", "again", "failed", "complete")] == [
        "Running",
        "Running",
        "Running",
        "Failed",
        "Completed",
    ]
    assert close_orphans(server, DEPLOYMENT, desk.flow) == []
    assert deaths(server, DEPLOYMENT) == [[span], [span]]


def test_inline_runs_carry_their_process_and_an_orphan_is_not_taken_again(
    server: Settings, desk: Desk, dead: str
) -> None:
    """A run that somebody else created, and did not start, is a finished attempt."""
    span = desk.feed(vector())
    dispatcher = Dispatcher(server, Route("sensor-predict", DEPLOYMENT, ("features",)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sensors.dispatch.host_tag", lambda: dead)
        first = dispatcher._new_run([span], Pending())
        again = dispatcher._new_run([span], Pending())
    assert first.id == again.id
    ours = dispatcher._new_run([span], Pending())
    assert ours.id != first.id
    assert set(ours.tags) == {"attempt:2", host_tag()}
    worker = Dispatcher(server, Route("sensor-predict", DEPLOYMENT, ("features",), mode="worker"))
    assert worker._new_run([span, span], Pending()).tags == []
