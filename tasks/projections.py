"""The projectors: committed records into the read side and the feature table, for as long as they run."""

import logging
from collections.abc import Iterable
from threading import Event
from typing import TYPE_CHECKING

from events.topics import TOPICS
from infra.database import connection, projected
from infra.kafka.follow import Batch, follow
from infra.settings import Settings
from tasks.core.projection import COLUMNS, Skipped, project

if TYPE_CHECKING:
    from infra.feature_table import FeatureTable

READ_SIDE = "read-side"
FEATURE_LINGER = 0.1  # seconds: a session reaches the table in one commit rather than one per partition

_log = logging.getLogger(__name__)


def follow_read_side(settings: Settings, stop: Event) -> None:
    """Keep the read side in Postgres up to date with all topics until `stop` is set."""
    connection.create(settings)
    engine = connection.engine(settings)

    def apply(batch: Batch) -> None:
        made = project(batch.records)
        rows = {table: (COLUMNS[table], list(found.values())) for table, found in made.rows.items()}
        projected.store(engine, READ_SIDE, rows, batch.starts, batch.ends)
        _tell(READ_SIDE, made.skipped)

    follow(
        settings,
        tuple(TOPICS),
        lambda p: projected.positions(engine, READ_SIDE, p),
        apply,
        stop,
        name="project-read-side",
    )


def follow_features(settings: Settings, stop: Event) -> None:
    """Keep the feature table on S3 up to date with the features topic until `stop` is set."""
    from infra.feature_table import FeatureTable  # noqa: PLC0415  (heavy)

    table = FeatureTable(settings)
    follow(
        settings,
        ("features",),
        table.positions,
        lambda batch: _store_features(table, batch),
        stop,
        linger=FEATURE_LINGER,
        name="project-features",
    )


def _store_features(table: "FeatureTable", batch: Batch) -> None:
    from tasks.core.feature_frame import feature_frame  # noqa: PLC0415  (pandas)

    frame, skipped = feature_frame(batch.records)
    table.apply(frame, batch.starts, batch.ends)
    _tell("feature table", skipped)


def _tell(projector: str, skipped: Iterable[Skipped]) -> None:
    """Say once per batch what was left out; the flow that consumes the topic has the records as letters."""
    found = list(skipped)
    if found:
        first = found[0]
        place = f"{first.topic}-{first.partition}@{first.offset}"
        _log.warning("%s left out %d records, first %s: %s", projector, len(found), place, first.reason)
