"""One process that hosts many long-running deployments: sensors, or projectors.

`python -m sensors.host forecasting` is one of what the local stack runs. In production each sensor
deployment can run by itself: every copy joins its flow's group and gets its share of the partitions.
"""

import logging
import os
import random
import signal
import socket
import sys
import threading
from typing import Any

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter
from prefect.client.schemas.objects import State, StateType
from prefect.states import Crashed, Pending

from infra.database.connection import create
from infra.errors import StopError
from infra.prefect_runs import create_run, deployment, execute
from infra.running import expect_many_objects, request_stop, stopping, wait
from infra.settings import load_settings
from infra.stack.flows_host import announce
from infra.wiring import deployment_names, full_name

TAGS = {"forecasting": "process:1", "judging": "process:2", "projectors": "projector"}
LONGEST_PAUSE = 30.0
log = logging.getLogger("nepse.host")


def main(group: str) -> None:
    """Run every deployment of the group in a thread of its own until SIGTERM."""
    settings = load_settings()
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it warns of every pause of a busy machine
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: request_stop())
    expect_many_objects()
    create(settings)
    threads = [
        threading.Thread(target=keep_running, args=(n,), name=n) for n in deployment_names(TAGS[group])
    ]
    for thread in threads:
        thread.start()
    announce(settings, group, os.getpid())
    for thread in threads:
        thread.join()


def keep_running(name: str) -> None:
    """Run a deployment again whenever it ends; a StopError ends it until a person restarts the stack."""
    pause = 1.0
    while not stopping():
        try:
            run_once(name)
            pause = 1.0
        except StopError:
            log.exception("%s stopped: a person has to decide", name)
            return
        except Exception:  # whatever it was, a sensor that crashed has to come back
            log.exception("%s crashed; starting it again in %.0f s", name, pause)
        wait(pause * random.uniform(0.7, 1.3))  # noqa: S311  (jitter)
        pause = min(LONGEST_PAUSE, pause * 2)


def run_once(name: str) -> None:
    """Execute a deployment here as a Prefect run of its own; raises what made it fail."""
    wired = full_name(name)
    with get_client(sync_client=True) as client:
        _close_orphans(client, deployment(wired)[0])
    me = f"host:{socket.gethostname()}:{os.getpid()}"
    run = create_run(wired, {}, Pending(), tags=[me], name=name)
    state = execute(wired, run, dict(run.parameters))
    if isinstance(state, State) and state.is_failed():
        state.result(raise_on_failure=True)


def _close_orphans(client: Any, deployment_id: Any) -> None:
    """End the runs of hosts on this machine whose process is gone, so that the UI tells the truth."""
    chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    alive = FlowRunFilter.model_validate(
        {"state": {"type": {"any_": [StateType.RUNNING, StateType.PENDING]}}}
    )
    for run in client.read_flow_runs(deployment_filter=chosen, flow_run_filter=alive):
        if any(_gone(tag) for tag in run.tags):
            client.set_flow_run_state(run.id, Crashed(message="its process is gone"), force=True)


def _gone(tag: str) -> bool:
    kind, _, rest = tag.partition(":")
    machine, _, pid = rest.rpartition(":")
    return kind == "host" and machine == socket.gethostname() and not psutil.pid_exists(int(pid or 0))


if __name__ == "__main__":
    main(sys.argv[1])
