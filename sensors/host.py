"""One process that hosts many long-running deployments: sensors, the watch, or projectors.

`python -m sensors.host forecasting` is one of what the local stack runs. In production each sensor
deployment can run by itself: every copy joins its flow's group and gets its share of the partitions.
"""

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from prefect.client.schemas.objects import State
from prefect.logging.configuration import setup_logging
from prefect.states import Pending

from infra import logs, metrics
from infra.database.connection import create
from infra.errors import StopError, SupersededError, TryAgainError
from infra.prefect_orphans import close_orphans
from infra.prefect_runs import create_run, execute
from infra.processes import copy_tag, host_tag
from infra.running import expect_many_objects, request_stop, stopping, wait
from infra.settings import Settings, load_settings
from infra.stack.flows_host import announce
from infra.wiring import deployment_names, full_name, routes
from sensors.membership import is_taken

TAGS = {
    "forecasting": "process:1",
    "judging": "process:2",
    "telling": "process:3",
    "projectors": "projector",
}
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
CALM_SECONDS = 60.0
"""A run that lasted so long was well: the next pause is short again."""
PLACE_SECONDS = 15.0
"""How often a superseded sensor asks whether its place is free; longer than a session time-out."""
log = logging.getLogger("nepse.host")


def main(group: str) -> None:
    """Run every deployment of the group in a thread of its own until SIGTERM."""
    settings = load_settings()
    setup_logging()  # Prefect's own, which would otherwise come later and take its loggers back
    logs.configure(settings, group)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it warns of every pause of a busy machine
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: request_stop())
    expect_many_objects()
    metrics.serve(settings, group)
    create(settings)
    threads = [_thread(settings, name) for name in deployment_names(TAGS[group])]
    for thread in threads:
        thread.start()
    announce(settings, group, os.getpid())
    for thread in threads:
        thread.join()


def _thread(settings: Settings, name: str) -> threading.Thread:
    calls = (partial(run_once, settings, name), partial(place_is_free, settings, name))
    return threading.Thread(target=keep_running, args=(name, *calls), name=name)


def keep_running(name: str, run: Callable[[], None], is_free: Callable[[], bool]) -> None:
    """Call `run` again whenever it ends, within a minute.

    A StopError ends that until a person restarts the stack. A superseded sensor waits until the one that took
    its place is gone: two that displace each other in turn would both do nothing else.
    """
    pause = SHORTEST_PAUSE
    while not stopping():
        began = time.monotonic()
        try:
            run()
        except StopError:
            log.exception("%s stopped: a person has to decide", name)
            return
        except SupersededError as error:
            log.warning("%s is superseded, and waits until its place is free: %s", name, error)
            await_place(is_free)
        except TryAgainError as error:
            log.warning("%s begins again in %.0f s: %s", name, pause, error)
        except Exception:  # whatever it was, a sensor that crashed has to come back
            log.exception("%s crashed; starting it again in %.0f s", name, pause)
        if time.monotonic() - began > CALM_SECONDS:
            pause = SHORTEST_PAUSE
        wait(pause * random.uniform(0.7, 1.3))  # noqa: S311  (jitter)
        pause = min(LONGEST_PAUSE, pause * 2)


def await_place(is_free: Callable[[], bool]) -> None:
    """Wait until nobody holds our place in the group any more, or the process is to stop."""
    while not wait(PLACE_SECONDS):
        try:
            if is_free():
                return
        except TryAgainError as error:  # nobody can join while the broker is away
            log.warning("not known whether the place is free: %s", error)
        except Exception:  # a thread that ended here would leave its flow without a sensor, silently
            log.exception("not known whether the place is free")


def run_once(settings: Settings, name: str) -> None:
    """Execute a deployment here as a Prefect run of its own; raises what made it fail."""
    wired = full_name(name)
    close_orphans(settings, name)
    run = create_run(wired, {}, Pending(), tags=[host_tag(), copy_tag(settings)], name=name)
    state = execute(wired, run, dict(run.parameters))
    if not isinstance(state, State):
        return
    if state.is_failed():
        state.result(raise_on_failure=True)
    if state.name == "Superseded":
        raise SupersededError(state.message or "")
    if state.name == "Away":
        raise TryAgainError(state.message or "")


def place_is_free(settings: Settings, name: str) -> bool:
    """Tell whether no sensor of our name is in the group; projectors have no group."""
    flows = [route.flow for route in routes() if route.name == name]
    return not any(is_taken(settings, flow) for flow in flows)


if __name__ == "__main__":
    main(sys.argv[1])
