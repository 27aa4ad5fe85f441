"""Vectors that no longer hold: of sessions that were none, of symbols that a revision left out."""

from prefect import task

from events.payloads import DataIngested, DataRetracted, FeaturesComputed
from infra.bootstrap import Loop
from infra.kafka.records import Received
from tasks.sessions import Sessions, sessions
from tasks.vectors import rows_as_of, vectors_as_of

Withdrawn = list[tuple[Received[DataIngested] | Received[DataRetracted], list[FeaturesComputed]]]


@task
def withdrawn_vectors(
    loop: Loop, causes: list[Received[DataIngested] | Received[DataRetracted]]
) -> Withdrawn:
    """Compute what was told before each cause and holds no more, as it was told, marked as retracted.

    The vectors carry their features, so that what follows from them can be taken back the same way.

    Raises:
        TryAgainError: the store or the broker is away.
    """
    known = sessions(loop)
    known.refresh()
    found = [(cause, _withdrawn(loop, known, cause)) for cause in causes]
    return [(cause, vectors) for cause, vectors in found if vectors]


def _withdrawn(
    loop: Loop, known: Sessions, cause: Received[DataIngested] | Received[DataRetracted]
) -> list[FeaturesComputed]:
    """Compare a session as it was told before the cause with what is left of it."""
    day, offset = cause.payload.date, cause.place.offset
    before, after = (known.index.as_of(at, day) for at in (offset - 1, offset))
    if before is None or before == after:
        return []
    gone = known.symbols_of(before) - known.symbols_of(after)
    if not gone:
        return []
    vectors = vectors_as_of(known, rows_as_of(loop, offset - 1, [day]), offset).get(day, {})
    return [v.model_copy(update={"retracted": True}) for v in vectors.values() if v.symbol in gone]
