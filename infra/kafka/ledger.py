"""Entries of the ledger that are nobody's progress: what replays, redrives and blocks published."""

from collections.abc import Mapping

from events.envelope import derive_id
from events.payloads import OffsetRange, SliceCommitted
from infra.kafka.records import Outgoing, Run, ranges_label
from infra.kafka.transaction import Closing
from infra.kafka.work import CODE_VERSION, Work, beginning
from infra.settings import Settings

REPLAYS, REDRIVES, BLOCKS = "replay.", "redrive.", "block."
"""What the names of such entries begin with; the flow's name follows."""


def replaying(flow: str) -> str:
    """Name the group and the ledger's entries of a flow's replays."""
    return f"{REPLAYS}{flow}"


def redriving(flow: str) -> str:
    """Name the ledger's entries of a flow's letters that were tried again and went through."""
    return f"{REDRIVES}{flow}"


def blocks_of(flow: str) -> str:
    """Name the ledger's entries of the blocks of sessions that a flow publishes aside."""
    return f"{BLOCKS}{flow}"


def is_live(entry: SliceCommitted) -> bool:
    """Tell whether an entry is the progress of a flow."""
    return not entry.flow.startswith((REPLAYS, REDRIVES, BLOCKS))


def aside(
    settings: Settings,
    name: str,
    run: Run,
    ranges: list[OffsetRange],
    counts: Mapping[str, int] | None = None,
) -> Closing:
    """Make the record that closes a transaction without progress: where its outputs lie, and from what.

    A run that closes several such transactions of the same ranges tells them apart by what it counts.
    """

    def closing(outputs: list[OffsetRange]) -> Outgoing:
        entry = SliceCommitted(
            flow=name,
            group=name,
            ranges=ranges,
            run_id=run.run_id,
            code_version=CODE_VERSION,
            outputs=outputs,
            counts=dict(counts or {}),
        )
        entry_id = derive_id(name, ranges_label(ranges), " ".join([run.run_id, *sorted(counts or {})]))
        work = Work(settings, Run(name, run.run_id), ranges, lambda asked: ([], asked))
        return work.envelop("slices", entry, beginning(entry, entry_id))

    return closing
