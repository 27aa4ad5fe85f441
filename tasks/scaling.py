"""Features of many sessions, in this process or on Dask by blocks of symbols.

What symbols know of each other (`features.market_inputs`) is computed first, from all of them; then each
block of symbols with it; at last what compares them (`features.compared`). Only computing goes to the
workers: they need this package, and no broker, store or database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any, Protocol

import pandas as pd
from prefect import task

from infra.errors import TryAgainError
from infra.faults import reach
from infra.settings import Settings
from tasks.core.features import Aggregates, compared, compute, market_inputs
from tasks.core.panel import Panel
from tasks.core.stitching import stitched

LOCAL = "local"
"""In place of a scheduler's address: a cluster of this machine, for as long as it is needed."""

LOCAL_WORKERS = 2
WORKERS_SECONDS = 60

Table = Callable[[], pd.DataFrame]
"""Awaits a computation, and gives its table as `features.compute` does."""

Start = Callable[[Panel, date], Table]
"""Begins to compute the sessions of a panel from one on."""


class Runner(Protocol):
    """Prefect's task runner, as far as it is used here."""

    def submit(self, task: Any, parameters: dict[str, Any]) -> Any:
        """Begin a task; gives a future, which may be a parameter of other tasks."""


@task(name="market-inputs", retries=2)
def inputs_of_market(panel: Panel, since: date) -> list[Aggregates]:
    """Compute what symbols know of each other."""
    return market_inputs(panel, since)


@task(name="features-of-symbols", retries=2)
def features_of_symbols(panel: Panel, since: date, market: list[Aggregates]) -> pd.DataFrame:
    """Compute the features of some symbols."""
    found = compute(panel, since, market)
    reach("symbols-computed")
    return found


def here(panel: Panel, since: date) -> Table:
    """Compute in this process, when it is awaited."""
    return partial(compute, panel, since)


def on(runner: Runner, symbols: int, panel: Panel, since: date) -> Table:
    """Compute by blocks of so many symbols on a task runner, from now on."""
    market = runner.submit(inputs_of_market, {"panel": panel, "since": since})
    parts = [
        runner.submit(features_of_symbols, {"panel": part, "since": since, "market": market})
        for part in panel.parts(symbols)
    ]
    if not parts:
        return here(panel, since)
    return lambda: compared(stitched([part.result() for part in parts]), panel, since)


@contextmanager
def computing(settings: Settings, dask: str | None = None) -> Iterator[Start]:
    """Say where to compute: as `dask` has it, else the setting of that name, else in this process."""
    dask = dask or settings.dask
    if not dask:
        yield here
        return
    from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415  (a second, which nobody else pays)

    local = {"n_workers": LOCAL_WORKERS, "threads_per_worker": 1, "dashboard_address": None}
    asked = DaskTaskRunner(cluster_kwargs=local) if dask == LOCAL else DaskTaskRunner(address=dask)
    with asked as runner:
        require_workers(lambda: runner.client, dask)
        yield partial(on, runner, settings.dask_symbols)


def require_workers(connect: Callable[[], Any], dask: str) -> None:
    """Ask for a worker before any work is handed over: without one it would wait for ever.

    Raises:
        TryAgainError: no scheduler answers, or it has no worker.
    """
    try:
        connect().wait_for_workers(1, timeout=WORKERS_SECONDS)
    except OSError as error:  # time-outs are such
        message = f"no Dask worker at {dask} within {WORKERS_SECONDS} s: {error}"
        raise TryAgainError(message) from error
