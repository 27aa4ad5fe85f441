"""Entries of the ledger that are nobody's progress: what replays and redrives published."""

from events.envelope import Metadata, derive_id
from events.payloads import OffsetRange, SliceCommitted
from infra.kafka.records import Outgoing, Run, ranges_label
from infra.kafka.transaction import Closing
from infra.kafka.work import CODE_VERSION, Work
from infra.settings import Settings

REPLAYS, REDRIVES = "replay.", "redrive."
"""What the names of such entries begin with; the flow's name follows."""


def replaying(flow: str) -> str:
    """Name the group and the ledger's entries of a flow's replays."""
    return f"{REPLAYS}{flow}"


def redriving(flow: str) -> str:
    """Name the ledger's entries of a flow's letters that were tried again and went through."""
    return f"{REDRIVES}{flow}"


def is_live(entry: SliceCommitted) -> bool:
    """Tell whether an entry is the progress of a flow."""
    return not entry.flow.startswith((REPLAYS, REDRIVES))


def aside(settings: Settings, name: str, run: Run, ranges: list[OffsetRange]) -> Closing:
    """Make the record that closes a transaction without progress: where its outputs lie, and from what."""

    def closing(outputs: list[OffsetRange]) -> Outgoing:
        entry = SliceCommitted(
            flow=name,
            group=name,
            ranges=ranges,
            run_id=run.run_id,
            code_version=CODE_VERSION,
            outputs=outputs,
        )
        entry_id = derive_id(name, ranges_label(ranges), run.run_id)
        work = Work(settings, Run(name, run.run_id), ranges, lambda asked: ([], asked))
        return work.envelop("slices", entry, Metadata(entry_id, entry_id, 0, None, CODE_VERSION))

    return closing
