"""How far the feature table has read: each commit carries the positions of the records that it holds."""

from collections.abc import Iterable, Mapping
from typing import Any

from infra.errors import ReplanError

Positions = Mapping[tuple[str, int], int]
"""Next offset by (topic, partition)."""


def positions_of(table: Any, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Look up the next offset of each topic-partition in a Delta table; those never written are left out."""
    found = {place: table.transaction_version(_app_id(*place)) for place in partitions}
    return {place: offset for place, offset in found.items() if offset is not None}


def carrying(ends: Positions) -> Any:
    """Give what lets a commit of a Delta table carry positions."""
    from deltalake import CommitProperties, Transaction  # noqa: PLC0415  (heavy)

    return CommitProperties(
        app_transactions=[Transaction(_app_id(*place), offset) for place, offset in ends.items()]
    )


def assert_at(stored: Positions, starts: Positions) -> None:
    """Raise a ReplanError where the table is not at the positions that a batch continues from."""
    for (topic, partition), start in starts.items():
        if (found := stored.get((topic, partition), 0)) != start:
            message = f"the feature table is at {found} of {topic}-{partition}, this batch starts at {start}"
            raise ReplanError(message)


def _app_id(topic: str, partition: int) -> str:
    return f"{topic}-{partition}"
