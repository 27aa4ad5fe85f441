"""From FeaturesComputed records to rows of the feature table."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from tasks.core.projection import Record, Skipped, event_of

COLUMNS = (
    *("symbol", "date", "feature_set", "revision", "last_close", "event_id", "partition", "offset"),
    "retracted",
)


def feature_frame(records: Iterable[Record]) -> tuple[pd.DataFrame, list[Skipped]]:
    """Turn records of the features topic into one row each, and tell what could not be read.

    An event delivered twice gives equal rows, of which the table keeps one.

    Returns:
        A frame of COLUMNS and one column per feature (null where an event has none).
    """
    skipped: list[Skipped] = []
    own: list[tuple[Any, ...]] = []
    features: list[dict[str, float | None]] = []
    for record in records:
        event = event_of(record, skipped)
        if event is not None:
            said: Any = event.payload
            head = (said.symbol, said.date, said.feature_set, said.revision, said.last_close)
            own.append((*head, event.id, record.partition, record.offset, said.retracted))
            # a feature named like one of our columns would stand twice in the frame
            features.append({name: x for name, x in said.features.items() if name not in COLUMNS})
    frame = pd.DataFrame.from_records(own, columns=list(COLUMNS))
    return pd.concat([frame, pd.DataFrame(features, index=frame.index, dtype=float)], axis=1), skipped
