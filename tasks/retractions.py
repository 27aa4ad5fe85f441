"""Vectors that no longer hold: of sessions that were none, of symbols that a revision left out."""

from prefect import task

from events.payloads import DataIngested, DataRetracted, FeaturesComputed
from infra.bootstrap import Loop
from infra.kafka.records import Received
from tasks.core.features import compute
from tasks.core.grid import WINDOW
from tasks.core.sessions import Held
from tasks.features import payloads
from tasks.panels import Panels, panels
from tasks.sessions import Sessions, sessions

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
    known, warm = sessions(loop), panels(loop)
    known.refresh()
    found = [(cause, _withdrawn(known, warm, cause)) for cause in causes]
    return [(cause, vectors) for cause, vectors in found if vectors]


def _withdrawn(
    known: Sessions, warm: Panels, cause: Received[DataIngested] | Received[DataRetracted]
) -> list[FeaturesComputed]:
    """Compare a session as it was told before the cause with what is left of it."""
    day, offset = cause.payload.date, cause.place.offset
    before, after = (known.index.as_of(at, day) for at in (offset - 1, offset))
    if before is None or before == after:
        return []
    left = set(known.rows_of(after)["symbol"]) if after else set()
    gone = set(known.rows_of(before)["symbol"]) - left
    return _marked(known, warm, before, offset, gone) if gone else []


def _marked(
    known: Sessions, warm: Panels, before: Held, offset: int, symbols: set[str]
) -> list[FeaturesComputed]:
    panel = warm.of(known.index.window(offset - 1, before.day, WINDOW))
    revision = known.index.standing(before.day, offset)
    vectors = payloads(compute(panel, since=before.day), revision)
    return [v.model_copy(update={"retracted": True}) for v in vectors if v.symbol in symbols]
