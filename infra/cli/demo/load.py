"""Loading the history: through the same flow as live data, with a bar for each step."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from infra.cli import shared
from infra.cli.demo.source import Source
from infra.cli.demo.watch import Watcher
from infra.prefect_runs import run_here
from infra.settings import Settings

FIRST_TRAINING = "schedule-retraining/schedule-retraining"
LOAD_SECONDS = 900
LOOK_MS = 300
BARS = {"compute-features": "features", "predict": "predicted", "join-errors": "joined"}


def load(settings: Settings, source: Source, watcher: Watcher) -> int:
    """Ingest the history and wait until all flows have processed it; returns the rows accepted.

    The first training is asked for as soon as its features are there: the errors need not be.
    """
    plan = source.plan
    parameters = {"paths": [source.table, source.daily], "since": str(plan.since), "until": str(plan.until)}
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ThreadPoolExecutor(2) as threads, Progress(*columns, console=shared.err) as progress:
        ingesting = threads.submit(run_here, settings, "ingest/ingest", parameters)
        ask = partial(threads.submit, run_here, settings, FIRST_TRAINING, {"reason": "first_model"})
        loading = _Loading(watcher, progress, _bars(progress, plan), ingesting, ask)
        watcher.until(loading.done, LOAD_SECONDS, "loading the history", LOOK_MS)
        return loading.accepted() or 0


def _bars(progress: Progress, plan: Any) -> dict[str, TaskID]:
    totals = {"compute-features": plan.rows, "predict": plan.rows}
    sessions = {"sessions": progress.add_task("sessions", total=plan.sessions)}
    return sessions | {flow: progress.add_task(text, total=totals.get(flow)) for flow, text in BARS.items()}


@dataclass
class _Loading:
    """How far the history has come."""

    watcher: Watcher
    progress: Progress
    bars: dict[str, TaskID]
    ingesting: "Future[list[dict[str, int]]]"
    ask: "partial[Future[Any]]"
    asked: "Future[Any] | None" = None

    def accepted(self) -> int | None:
        """Count the rows accepted, None while the ingestion goes on; raises what made it fail."""
        done = self.ingesting.done()
        return sum(line["accepted"] for line in self.ingesting.result()) if done else None

    def done(self) -> bool:
        """Show how far it is; ask for the training when it is time; tell whether all is processed."""
        self._show()
        rows = self.accepted()
        if rows is None or self.watcher.sent["compute-features"] < rows:
            return False
        self._ask_once(rows)
        return self.watcher.sent["predict"] >= rows and self.watcher.settled("retrain")

    def _show(self) -> None:
        self.progress.update(self.bars["sessions"], completed=self.watcher.counts["raw-data"])
        for flow in BARS:
            self.progress.update(self.bars[flow], completed=self.watcher.sent[flow])

    def _ask_once(self, rows: int) -> None:
        if self.asked is None:
            for flow in ("compute-features", "predict"):  # rows that were refused are in no total
                self.progress.update(self.bars[flow], total=rows)
            self.asked = self.ask()
        elif self.asked.done():
            self.asked.result()  # raises what made it fail
