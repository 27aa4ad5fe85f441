"""Recomputing past sessions beside the live loop."""

from datetime import UTC, date, datetime
from typing import Any

from prefect import task

from events.envelope import Causation, Event, Metadata, derive_id, encode
from events.payloads import DataIngested, FeaturesComputed
from infra.bootstrap import Loop
from infra.errors import UsageError
from infra.feature_table import FeatureTable
from infra.kafka.records import Outgoing, Received, of_kind
from infra.kafka.source import Source
from infra.kafka.work import CODE_VERSION
from tasks.features import compute_vectors
from tasks.sessions import sessions

PRODUCER = "backfill"


def chosen_sessions(loop: Loop, start: date, end: date) -> list[Received[DataIngested]]:
    """Find the newest DataIngested of each session from `start` to `end`, oldest first.

    Raises:
        UsageError: there is none.
    """
    index = sessions(loop).refresh()
    offsets = [index.revisions(day)[-1].offset for day in index.days if start <= day <= end]
    entries = [r for at in offsets for r in of_kind(loop.raw_data.between(at, at + 1), DataIngested)]
    if not entries:
        message = f"no session between {start} and {end} was ingested"
        raise UsageError(message)
    return entries


@task
def fill(
    loop: Loop, cause: Received[DataIngested], symbols: list[str] | None, *, force: bool, dry_run: bool
) -> dict[str, Any]:
    """Publish what is missing of one session; returns session, computed, stored, published."""
    day = cause.payload.date
    vectors = compute_vectors(loop, [cause])
    computed = [p for _, payloads in vectors.computed for p in payloads if not symbols or p.symbol in symbols]
    stored, _ = FeatureTable(loop.settings).read(["symbol", "date", "revision"], since=day, until=day)
    before = dict(zip(stored["symbol"], stored["revision"], strict=True))
    wanted = [p for p in computed if force or p.symbol not in before]
    if wanted and not dry_run:
        _publish(loop, cause, wanted, before)
    return {"session": str(day), "computed": len(computed), "stored": len(before), "published": len(wanted)}


def _publish(
    loop: Loop, cause: Received[DataIngested], wanted: list[FeaturesComputed], before: dict[str, int]
) -> None:
    source = Source(loop.pool, PRODUCER)
    source.open()
    try:
        source.publish(_record(cause, p, before) for p in wanted)
    finally:
        source.close()


def _record(cause: Received[DataIngested], computed: FeaturesComputed, before: dict[str, int]) -> Outgoing:
    """Build the event under the revision after the stored one: asking twice gives the same id twice."""
    revision = before[computed.symbol] + 1 if computed.symbol in before else computed.revision
    payload = computed.model_copy(update={"revision": revision})
    event_id = derive_id(PRODUCER, cause.id, payload.symbol, revision)
    origin = Causation(*cause.place, cause.id)
    metadata = Metadata(event_id, cause.correlation_id, payload.schema_version, origin, CODE_VERSION)
    return Outgoing(
        "features", payload.key.encode(), encode(Event(datetime.now(UTC), PRODUCER, payload, metadata))
    )
