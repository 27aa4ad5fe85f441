"""Step 7 again: a retraining is asked for where sessions are unlike those that a version was made from."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import DataIngested, OffsetRange
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.core.features import FEATURE_SET
from tasks.core.markdown import table
from tasks.deliveries import read_once
from tasks.drift_watch import Watched, watch
from tasks.work import Account, process


@flow(name="watch-drift")
def watch_drift(slices: list[OffsetRange]) -> State[Any]:
    """Ask for a retraining where features or forecasts of the newest session have drifted."""
    return process("watch-drift", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Judge the newest session of the slice."""
    told = of_kind(read_once(loop, work), DataIngested)
    watched = watch(loop, told, work.ranges[0].end)
    for complaint in watched.complaints:
        if watched.cause is not None:
            work.publish("training", complaint, watched.cause, complaint.reason)
    versions = [watched.version] if watched.version else []
    return Account(watched.told, versions, FEATURE_SET, _page(watched))


def _page(watched: Watched) -> str:
    """Write what drifted for people; nothing where nothing was judged."""
    parts = []
    for reason, finding in watched.found.items():
        rows = [(d.name, d.statistic, f"{d.psi:.2f}", f"{d.p_value:.1e}") for d in finding.drifted]
        told = f"{reason}: {len(rows)} of {finding.judged} drifted"
        parts += [told, table(("feature", "statistic", "PSI", "p (adjusted)"), rows)] if rows else [told]
    return "\n\n".join(parts)
