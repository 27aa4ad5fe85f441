"""What a run shows to people: tables in markdown, and where to go from an old run."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self
from urllib.parse import quote

import orjson
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed

from events.payloads import OffsetRange
from events.topics import TOPICS
from infra.kafka.records import ranges_label
from infra.kafka.slices import Slice
from infra.kafka.work import Work
from infra.pages import model_page, symbol_page
from infra.settings import Settings
from tasks.core.markdown import link, table
from tasks.core.offices import PERSISTENCE

NAMES = {
    "in": "records read",
    "out": "events published",
    "rejected": "dead letters",
    "rerouted": "sent on to the right partition",
    "repeated": "delivered before",
}
MOST_LINKS = 12
"""Links of a run's artifact to our pages."""
LOOKED_AT = 100
"""Records of a slice whose shares are linked: a page of thousands is no help."""
SHORT = {"in": "read", "out": "published", "rejected": "dead letters"}


@dataclass(frozen=True, slots=True)
class Done:
    """One slice as it ended: committed by this run, or found committed (`fresh` is False)."""

    ranges: list[OffsetRange]
    counts: dict[str, int]
    delay: float | None = None
    """Seconds from the oldest record to the commit."""
    message: str = ""
    markdown: str = ""
    links: tuple[str, ...] = ()
    """To our pages of what the slice is about, markdown."""
    fresh: bool = True
    days: list[date] = field(default_factory=list)

    @classmethod
    def before(cls, work: Slice) -> Self:
        """Describe a slice that was committed before, with the sessions that it is about."""
        days = {day for r in work.read() if isinstance(day := getattr(r.payload, "date", None), date)}
        return cls(work.ranges, {}, fresh=False, days=sorted(days))


def links(settings: Settings, work: Work, versions: Iterable[str]) -> tuple[str, ...]:
    """Link our pages of the versions that a slice used, and of the first shares that it says something of."""
    keys = {out.key: None for out in work.outgoing[:LOOKED_AT] if out.key and TOPICS[out.topic].spread}
    symbols = [key.decode(errors="replace") for key in list(keys)[:MOST_LINKS]]
    models = [link(v, model_page(settings, v)) for v in versions if v != PERSISTENCE]
    return (*models, *(link(symbol, symbol_page(settings, symbol)) for symbol in symbols))


def told(done: list[Done]) -> str:
    """Say in one line what the slices of a run did."""
    counts: Counter[str] = Counter()
    for part in done:
        counts.update(part.counts)
    numbers = ", ".join(f"{count} {SHORT.get(what, what)}" for what, count in counts.items() if count)
    messages = "; ".join(dict.fromkeys(part.message for part in done if part.message))
    return f"{messages} ({numbers})" if messages else numbers


def summary(flow: str, done: list[Done]) -> str:
    """Tell what a run's slices did: where from, how many, how long, and what the flow itself adds."""
    kinds = list(dict.fromkeys(kind for part in done for kind in part.counts))
    head = ("slice", *(NAMES.get(kind, kind) for kind in kinds), "seconds from oldest record to commit")
    rows = [
        (
            ranges_label(part.ranges),
            *(part.counts.get(kind, 0) for kind in kinds),
            "" if part.delay is None else f"{part.delay:.3f}",
        )
        for part in done
    ]
    opening = f"Each slice was committed once, by the consumer group `{flow}`."
    extras = dict.fromkeys(part.markdown for part in done if part.markdown)
    pages = list(dict.fromkeys(one for part in done for one in part.links))[:MOST_LINKS]
    seen = (f"On our page: {', '.join(pages)}",) if pages else ()
    return "\n\n".join((opening, table(head, rows), *extras, *seen))


def already_committed(settings: Settings, done: list[Done]) -> State[Any]:
    """End a rerun of an old run: nothing to do, and how to recompute on purpose."""
    days = sorted({day for part in done for day in part.days})
    label = ranges_label([r for part in done for r in part.ranges])
    message = f"{label} was committed before: nothing was done"
    if days:
        link = backfill_link(settings, str(days[0]), str(days[-1]))
        text = f"backfill {days[0]} to {days[-1]}"
        create_link_artifact(link, link_text=text, key="backfill-instead", description=message)
        message += f". To recompute these sessions, run the backfill deployment: {link}"
    return Completed(message=message)


def backfill_link(settings: Settings, start: str, end: str) -> str:
    """Build the address of the backfill form, filled in for these sessions."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("backfill/backfill")
    parameters = quote(orjson.dumps({"start": start, "end": end}).decode(), safe="")
    return f"{settings.prefect_ui}/deployments/deployment/{deployment.id}/run?parameters={parameters}"


@contextmanager
def progress_artifact(key: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show how far a run is on its page; yields what takes how many are done, of how many, and a sentence."""
    artifact: Any = create_progress_artifact(0.0, key=f"{key}-progress")

    def show(done: int, total: int, told: str) -> None:
        percent = 100.0 * done / total if total else 100.0
        update_progress_artifact(artifact, percent, description=f"{done} of {total} sessions, {told}")

    yield show


def backfilled(computed: Mapping[date, int], published: Mapping[date, int]) -> None:
    """Leave a table of what a backfill did, by session."""
    rows = [(str(day), count, published[day]) for day, count in sorted(computed.items())]
    shown = table(("session", "computed", "published"), rows)
    create_markdown_artifact(shown, key="backfill", description=f"{len(rows)} sessions looked at")
