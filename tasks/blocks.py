"""The ledger's blocks: what was published aside of the flows' progress."""

from events.payloads import SliceCommitted
from infra.bootstrap import Loop
from infra.kafka.blocks import LEDGER, Block, blocks_in, is_block
from infra.kafka.log import TopicLog
from infra.kafka.records import of_kind


def committed_blocks(loop: Loop) -> list[Block]:
    """Read the ledger's blocks, in their order; raises TryAgainError where the broker is away.

    Nothing else of the ledger is kept: it has an entry for every slice there ever was.
    """
    ledger = loop.live.keep("blocks", lambda: TopicLog(loop.settings, LEDGER, is_block))
    entries = of_kind(ledger.between(0, ledger.refresh()), SliceCommitted)
    return blocks_in(entry.payload for entry in entries)
