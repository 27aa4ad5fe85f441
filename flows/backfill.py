"""By hand: compute past sessions again, beside the live loop; what follows does so through the live flows."""

from contextlib import closing
from datetime import date
from typing import Any

from prefect import flow

from infra.bootstrap import Loop, connect
from infra.running import expect_many_objects
from tasks.backfill_makers import FeatureMaker, PredictionMaker
from tasks.backfilling import Report, Show, count_missing, planned, publish_missing, this_publisher
from tasks.core.backfill import Flow, Request
from tasks.core.symbols import canonical
from tasks.reports import backfilled, progress_artifact
from tasks.scaling import Start, computing
from tasks.sessions import sessions
from tasks.work import this_run


@flow(name="backfill", flow_run_name="backfill {flow} {start} to {end}")
def backfill(  # noqa: PLR0913, PLR0917  (the form has a field for each)
    start: date,
    end: date,
    symbols: list[str] | None = None,
    flow: Flow = "features",
    force: bool = False,
    dry_run: bool = False,
    dask: str | None = None,
) -> dict[str, Any]:
    """Publish what is missing or different of past sessions, as of now, in blocks of at most 14 sessions.

    A run that was broken off is taken up where it stopped by asking for the same again. It waits while the
    live loop has much to do.

    Args:
        start: First session.
        end: Last session.
        symbols: Only these; all without it.
        flow: What is computed again. `features`: vectors, from the sessions; predictions and errors follow
            through the live flows. `predictions`: from the stored vectors, each by the model version valid
            then; errors follow. `errors`: predictions of which the actual is there and no error are published
            again, and the join computes the error.
        force: Also what is there already and the same.
        dry_run: Only count; publish nothing.
        dask: Where to compute: a Dask scheduler's address, or `local` for a cluster of this machine. Without
            it the setting NEPSE_DASK, else this process.
    """
    expect_many_objects()
    loop = connect()
    request = Request(start, end, tuple(map(canonical, symbols or ())), flow, force)
    with computing(loop.settings, dask) as begin, progress_artifact("backfill") as show:
        report = _do(loop, request, begin, show, dry_run=dry_run)
    backfilled(report.computed, report.published)
    return report.as_dict() | {"flow": flow, "dry_run": dry_run}


def _do(loop: Loop, request: Request, begin: Start, show: Show, *, dry_run: bool) -> Report:
    known = sessions(loop)
    features = request.flow == "features"
    maker = FeatureMaker(loop, known, request, begin) if features else PredictionMaker(loop, request)
    with closing(this_publisher(loop, this_run("backfill").run_id)) as blocks:
        if not dry_run:
            blocks.open()  # before the ledger is read: from here on no predecessor publishes
        made = planned(loop, known, request)
        if dry_run:
            return count_missing(made, maker, show)
        return publish_missing(loop, blocks, made, maker, show)
