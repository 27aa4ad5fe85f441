"""What a run shows to people: tables in markdown, and where to go from an old run."""

from datetime import date
from typing import Any
from urllib.parse import quote

import orjson
from prefect.artifacts import create_link_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from infra.kafka.records import ranges_label
from infra.kafka.slices import Slice
from infra.settings import Settings

NAMES = {
    "in": "records read",
    "out": "events published",
    "rejected": "dead letters",
    "rerouted": "sent on to the right partition",
}


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Write a markdown table."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(str(cell) for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def summary(work: Slice, message: str, extra: str) -> str:
    """Tell what a slice did: where from, how many, how long."""
    rows: list[tuple[str, float]] = [(NAMES.get(what, what), count) for what, count in work.counts.items()]
    if work.committed_at and work.oldest:
        rows.append(
            (
                "seconds from oldest record to commit",
                round((work.committed_at - work.oldest).total_seconds(), 3),
            )
        )
    head = f"**{ranges_label(work.ranges)}** committed once by group `{work.run.flow}`. {message}"
    return "\n\n".join(part for part in (head, table(("what", "how many"), rows), extra) if part)


def already_committed(settings: Settings, work: Slice) -> State[Any]:
    """End a rerun of an old run: nothing to do, and how to recompute on purpose."""
    days = sorted({day for r in work.read() if isinstance(day := getattr(r.payload, "date", None), date)})
    message = f"{ranges_label(work.ranges)} was committed before: nothing was done"
    if days:
        link = backfill_link(settings, str(days[0]), str(days[-1]))
        create_link_artifact(link, link_text=f"backfill {days[0]} to {days[-1]}", key="backfill-instead")
        message += f". To recompute these sessions, run the backfill deployment: {link}"
    return Completed(message=message)


def backfill_link(settings: Settings, start: str, end: str) -> str:
    """Build the address of the backfill form, filled in for these sessions."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("backfill/backfill")
    parameters = quote(orjson.dumps({"start": start, "end": end}).decode(), safe="")
    return f"{settings.prefect_ui}/deployments/deployment/{deployment.id}/run?parameters={parameters}"
