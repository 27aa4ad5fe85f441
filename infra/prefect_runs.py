"""Runs of deployments: created at the Prefect server, executed in this process or by the worker.

Prefect is imported inside the functions: a command line that asks for help does not need it (1.5 s), and it
reads its environment when imported, so `adopt` has to come first there.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from infra.errors import LoopError, StopError, TryAgainError
from infra.processes import host_tag
from infra.running import expect_many_objects
from infra.settings import Settings
from infra.stack import probes

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State

WAIT_SECONDS = 3_600
LOOK_SECONDS = 5
_THREAD = threading.local()
CONSOLE_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"
"""Prefect's own name for how much of its log a terminal shows."""


def adopt(settings: Settings) -> None:
    """Point this process and its client libraries at the stack; before Prefect or MLflow are imported.

    Prefect's log goes to the server only; the terminal gets it when the environment (or --debug) asks.
    """
    os.environ.update(settings.environment())
    os.environ.setdefault(CONSOLE_LEVEL, "CRITICAL")


@cache
def deployment(name: str) -> tuple[UUID, str]:
    """Look `flow/deployment` up once: its id and its entrypoint.

    Raises:
        StopError: there is no such deployment.
    """
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        message = f"the Prefect server has no deployment {name}: run 'prefect deploy --all', or 'nepse up'"
        raise StopError(message) from error
    return found.id, str(found.entrypoint)


def create_run(name: str, parameters: dict[str, Any], state: "State[Any]", /, **options: Any) -> "FlowRun":
    """Create a run of a deployment in the given state; `options` as Prefect's client takes them."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    _prepare_thread()
    deployment_id, _ = deployment(name)
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(
            deployment_id, parameters=parameters, state=state, **options
        )


def execute(name: str, run: "FlowRun", parameters: dict[str, Any]) -> "State[Any]":
    """Execute a pending run in this process; returns its final state, whatever it is."""
    from prefect.flow_engine import run_flow  # noqa: PLC0415

    _prepare_thread()
    state: Any = run_flow(_flow(name), flow_run=run, parameters=parameters, return_type="state")
    return state  # type: ignore[no-any-return]


@cache
def _flow(name: str) -> Any:
    """Import a deployment's flow once."""
    from prefect.flows import load_flow_from_entrypoint  # noqa: PLC0415

    return load_flow_from_entrypoint(deployment(name)[1], use_placeholder_flow=False)


def _prepare_thread() -> None:
    """Make runs in this thread cheap, once: one client for all of them, and no watchers around short runs.

    A client costs 20 ms to make and Prefect makes several in a run. The heartbeat costs a sync flow a second
    at its end, and no environment variable can switch it off. The observer waits for a suspension, on a
    connection of its own, which a run of seconds has no use for.
    """
    from prefect import flow_engine  # noqa: PLC0415
    from prefect.context import SyncClientContext  # noqa: PLC0415
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings  # noqa: PLC0415

    if not hasattr(_THREAD, "contexts"):
        _THREAD.contexts = ExitStack()
        _THREAD.contexts.enter_context(temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}))
        _THREAD.contexts.enter_context(SyncClientContext())
        flow_engine.observe_flow_run_suspension = _unobserved  # type: ignore[attr-defined]


def release_thread() -> None:
    """Close the client that this thread keeps: runs at another server would be sent to the old one."""
    if hasattr(_THREAD, "contexts"):
        _THREAD.contexts.close()
        del _THREAD.contexts


@contextmanager
def _unobserved(*_: object, **__: object) -> Iterator[None]:
    """Stand in for Prefect's observer of suspensions."""
    yield


def run_here(settings: Settings, name: str, parameters: dict[str, Any], run_name: str | None = None) -> Any:
    """Run a deployment (`flow/deployment`) in this process as a run of its own; returns the flow's result.

    Raises:
        TryAgainError: the Prefect server does not answer.
        Exception: what made the flow fail.
    """
    with at_server(settings):
        from prefect.states import Pending  # noqa: PLC0415

        expect_many_objects()
        run = create_run(name, parameters, Pending(), name=run_name, tags=[host_tag()])
        return execute(name, run, parameters).result(raise_on_failure=True)


def submit(
    settings: Settings, name: str, parameters: dict[str, Any], run_name: str | None = None
) -> tuple[UUID, str]:
    """Hand a run of a deployment to the worker; returns its id and the address of its page.

    Raises:
        TryAgainError: the Prefect server does not answer.
    """
    with at_server(settings):
        from prefect.states import Scheduled  # noqa: PLC0415

        run = create_run(name, parameters, Scheduled(), name=run_name)
    return run.id, settings.run_page(str(run.id))


def wait(
    run_id: UUID, seconds: float = WAIT_SECONDS, look: Callable[[], object] = lambda: None
) -> "State[Any] | None":
    """Await a run that the worker executes; returns its final state.

    Now and then it calls `look`, which may find that nobody executes the run any more, and end it.

    Raises:
        TryAgainError: it has not ended after `seconds`.
    """
    from prefect.exceptions import FlowRunWaitTimeout  # noqa: PLC0415
    from prefect.flow_runs import wait_for_flow_run  # noqa: PLC0415
    from prefect.utilities.asyncutils import run_coro_as_sync  # noqa: PLC0415

    left = int(seconds)
    while left > 0:
        piece = min(left, LOOK_SECONDS)
        try:
            ended: Any = run_coro_as_sync(wait_for_flow_run(run_id, timeout=piece))
        except FlowRunWaitTimeout:
            left -= piece
            look()
        else:
            return ended.state  # type: ignore[no-any-return]
    message = f"run {run_id} has not ended after {seconds:g} s: is a worker running ('nepse status')?"
    raise TryAgainError(message)


@contextmanager
def at_server(settings: Settings) -> Iterator[None]:
    """Work with this stack's server, or say at once that it is away."""
    away = f"the Prefect server at {settings.prefect_ui} does not answer: run 'nepse up'"
    try:
        probes.get_json(f"{settings.prefect_ui}/api/health")
    except TryAgainError as error:
        raise TryAgainError(away) from error
    adopt(settings)
    import httpx  # noqa: PLC0415

    outermost = not hasattr(_THREAD, "contexts")
    try:
        yield
    except LoopError:
        raise
    except httpx.TransportError as error:
        raise TryAgainError(away) from error
    finally:
        if outermost:  # a run that is executed here asks the server as well, and goes on
            release_thread()
