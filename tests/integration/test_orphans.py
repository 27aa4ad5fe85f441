"""Runs whose process is gone, on a real Prefect server and a real broker."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka.admin import NewTopic
from prefect.client.orchestration import get_client
from prefect.states import Completed, Failed, Pending, Running
from prefect.testing.utilities import prefect_test_harness

from events.payloads import OffsetRange
from infra import prefect_lost, prefect_orphans, prefect_runs
from infra.errors import TryAgainError
from infra.kafka import clients
from infra.kafka import identity as identity_module
from infra.kafka.identity import identity_tag
from infra.prefect_lost import LOST, close_lost
from infra.prefect_orphans import GONE, NEVER_BEGAN, WORKER_GONE, close_orphans, deaths
from infra.processes import copy_tag, executed_here, host_tag, is_gone
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors.dispatch import Dispatcher
from sensors.membership import Membership
from tests.copies import SPOTS, eventually, place
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
        prefect_runs.release_thread()
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
    assert close_lost(server, DEPLOYMENT, desk.flow) == []  # all of them are too young
    closed = close_orphans(server, DEPLOYMENT, desk.flow)
    assert {one.run_id: one.state for one in closed} == {
        str(runs["done"]): "Completed",
        str(runs["crashed"]): "Crashed",
        str(runs["pending"]): "Crashed",
    }
    assert ended(runs["done"]) == ("Completed", f"its slices are committed; {GONE}")
    assert ended(runs["crashed"]) == ("Crashed", GONE)
    assert ended(runs["pending"]) == ("Crashed", NEVER_BEGAN)
    assert [ended(runs[name])[0] for name in ("ours", "worker", "again", "failed", "complete")] == [
        "Running",
        "Running",
        "Running",
        "Failed",
        "Completed",
    ]
    assert close_orphans(server, DEPLOYMENT, desk.flow) == []


def test_a_workers_run_ends_with_its_process(
    server: Settings, desk: Desk, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and is nothing against its records; one that never got a process ends as well."""
    span = desk.feed(vector())
    gone = a_run(Running(), [dead.replace("host:", "at:", 1)], span)
    alive = a_run(Running(), executed_here([dead.replace("host:", "at:", 1)]), span)
    waiting = a_run(Pending(), ["attempt:2"], span)
    with get_client(sync_client=True) as client:
        for run in (gone, alive):
            client.update_flow_run(run, infrastructure_pid="1")
    mine = {str(run) for run in (gone, alive, waiting)}
    assert mine.isdisjoint(one.run_id for one in close_orphans(server, DEPLOYMENT, desk.flow))  # just begun
    monkeypatch.setattr(prefect_orphans, "STARTING_SECONDS", -1.0)
    assert [one.run_id for one in close_orphans(server, DEPLOYMENT, desk.flow)] == [str(gone)]
    assert ended(gone) == ("Crashed", WORKER_GONE)
    monkeypatch.setattr(prefect_orphans, "PENDING_SECONDS", 0.0)
    closed = close_orphans(server, DEPLOYMENT, desk.flow)
    assert mine & {one.run_id for one in closed} == {str(waiting)}
    assert ended(waiting) == ("Crashed", NEVER_BEGAN)
    assert deaths(server, DEPLOYMENT) == []
    assert ended(alive)[0] == "Running"


def test_only_a_run_that_had_begun_is_a_death(server: Settings, desk: Desk, dead: str) -> None:
    """A process that was killed before its run began had read no record; nor had one of a former topic."""
    span, begun = desk.feed(vector()), desk.feed(vector(), vector())
    now = identity_tag(server, ["features"])
    runs = {
        str(a_run(Running(), [dead, now], begun)),
        str(a_run(Pending(), [dead, now], span)),
        str(a_run(Running(), [dead, "topics:former"], span)),
        str(a_run(Running(), [dead], span)),
    }
    closed = close_orphans(server, DEPLOYMENT, desk.flow)
    assert {one.state for one in closed if one.run_id in runs} == {"Crashed"}
    assert [found for found in deaths(server, DEPLOYMENT) if found[0].start in {span.start, begun.start}] == [
        [begun]
    ]


def test_progress_on_a_topic_made_anew_covers_no_run_of_the_former(
    server: Settings, desk: Desk, dead: str
) -> None:
    """The same offsets held other records then."""
    span = desk.feed(vector())
    desk.work(span)
    former = a_run(Running(), [dead, "topics:former"], span)
    close_orphans(server, DEPLOYMENT, desk.flow)
    assert ended(former) == ("Crashed", GONE)


def test_a_topic_made_anew_has_another_identity(server: Settings) -> None:
    """A name stays the same in a process, and from process to process, while the topic does."""
    name, admin = f"test-{uuid.uuid4().hex[:8]}", clients.admin(server)
    with pytest.raises(TryAgainError, match=f"tells no id of one of {name}"):
        identity_module.identity(server, [name])
    found = []
    for _ in range(2):
        admin.create_topics([NewTopic(name=name, num_partitions=1, replication_factor=1)])
        for _ in range(2):
            identity_module._known.clear()
            found.append(eventually_named(server, name))
        assert identity_module.is_of(server, ["x", f"topics:{found[-1]}"], [name])
        assert found[-1] == found[0] or not identity_module.is_of(server, [f"topics:{found[0]}"], [name])
        admin.delete_topics([name])
        identity_module._known.clear()
        eventually(lambda: identity_module._named(server, [name]) is None, "it is gone")
        with pytest.raises(TryAgainError):  # perhaps the broker does not know it yet
            identity_module.is_of(server, [f"topics:{found[-1]}"], [name])
    admin.close()
    assert found[0] == found[1] != found[2] == found[3]


def eventually_named(settings: Settings, topic: str) -> str:
    """Name a topic once the broker knows it."""
    eventually(lambda: identity_module._named(settings, [topic]) is not None, "it is there")
    return identity_module.identity(settings, [topic])


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs count as quiet at once."""
    monkeypatch.setattr(prefect_lost, "QUIET_SECONDS", 0.0)


@pytest.mark.usefixtures("quiet")
def test_runs_of_other_machines_are_closed_by_what_the_group_tells(
    server: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covered: Completed, whoever ran it. Not covered: Crashed once the copy is no longer in the group."""
    span = desk.feed(vector(), vector())
    behind = span.model_copy(update={"end": span.start + 1})
    desk.work(behind)
    elsewhere = ["host:elsewhere:7:1", "copy:elsewhere"]
    there = ["host:there:7:1", "copy:there"]
    runs = {
        "covered": a_run(Running(), elsewhere, behind),
        "by worker": a_run(Running(), [], behind),
        "copy gone": a_run(Running(), elsewhere, span),
        "copy there": a_run(Running(), there, span),
        "worker's own": a_run(Running(), [], span),
    }
    with a_member(desk, "there"):
        closed = close_lost(server, DEPLOYMENT, desk.flow)
        mine = {str(number): name for name, number in runs.items()}
        assert {mine[one.run_id]: one.state for one in closed if one.run_id in mine} == {
            "covered": "Completed",
            "by worker": "Completed",
            "copy gone": "Crashed",
        }
        assert ended(runs["copy gone"]) == ("Crashed", LOST)
        assert ended(runs["covered"]) == ("Completed", f"its slices are committed; {LOST}")
        monkeypatch.setattr(prefect_lost, "LOST_SECONDS", 0.0)
        assert close_lost(server, DEPLOYMENT, desk.flow, lasting=True) == []
        close_lost(server, DEPLOYMENT, desk.flow)
    assert ended(runs["copy there"]) == ended(runs["worker's own"]) == ("Crashed", LOST)
    assert [span] not in deaths(server, DEPLOYMENT)


@contextmanager
def a_member(desk: Desk, copy: str) -> Iterator[None]:
    """Be in the flow's group as one copy of its sensor."""
    place(desk, {spot: desk.end("features", spot.partition) for spot in SPOTS[1:]})
    settings = load_settings(desk.settings.home, instance=copy)
    member = Membership(settings, Route("sensor-test", desk.flow, ("features",)))

    def joined() -> bool:
        member.polled = 0.0
        member.keep()
        return bool(member.assigned())

    try:
        eventually(joined, "it has joined")
        yield
    finally:
        member.close()


def test_a_run_that_the_worker_has_is_found_again(server: Settings, desk: Desk) -> None:
    """A sensor that comes back begins no second training; one of other records is not taken for it."""
    span = desk.feed(vector())
    worker = Dispatcher(server, Route("sensor-predict", DEPLOYMENT, ("features",), mode="worker"))
    assert worker._under_way([span]) is None
    first = worker._new_run([span], Pending())
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(first.id, Running(), force=True)
    back = Dispatcher(server, Route("sensor-predict", DEPLOYMENT, ("features",), mode="worker"))
    found = back._under_way([span])
    assert (found and found.id) == first.id
    assert back._under_way([span.model_copy(update={"start": span.start + 1, "end": span.end + 1})]) is None


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
    now = identity_tag(server, ["features"])
    assert set(ours.tags) == {"attempt:2", host_tag(), copy_tag(server), now}
    worker = Dispatcher(server, Route("sensor-predict", DEPLOYMENT, ("features",), mode="worker"))
    assert worker._new_run([span, span], Pending()).tags == [now]
