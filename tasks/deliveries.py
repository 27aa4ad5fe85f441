"""An event that is delivered twice counts once."""

from events.payloads import Payload
from infra.bootstrap import Loop
from infra.database.seen import Delivery, remember
from infra.faults import reach
from infra.kafka.records import Received
from infra.kafka.work import Work


def read_once(loop: Loop, work: Work) -> list[Received[Payload]]:
    """Read the slice's events without those that this flow was handed before, by event id.

    Of an event that lies several times in a partition the first one counts, also when it was refused: its
    dead letter stands for all of them.

    Raises:
        TryAgainError: the database, which remembers them, is away.
    """
    received = work.read()
    handed = [Delivery(r.place.topic, r.place.partition, r.id, r.place.offset) for r in received]
    repeats = remember(loop.database, work.run.flow, handed) if handed else set()
    reach("state-written", work.run.flow)
    if repeats:
        work.count("repeated", len(repeats))
    return [r for r in received if tuple(r.place) not in repeats]
