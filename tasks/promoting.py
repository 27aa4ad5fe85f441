"""A person decides which version serves: a promotion or a rollback, told on the models topic."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from events.envelope import derive_id
from events.payloads import ModelPromoted
from infra.bootstrap import Loop
from infra.errors import RejectError, UsageError
from infra.kafka.source import Source
from infra.kafka.work import beginning, record_of
from tasks.core.calendar import EXCHANGE_TZ
from tasks.core.feature_sets import set_of
from tasks.core.features import FEATURE_SET
from tasks.core.offices import PERSISTENCE
from tasks.core.versions import why_unknown
from tasks.loaded import Models
from tasks.serving import ModelBook
from tasks.sessions import held_until, targets

PRODUCER = "promote"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who serves after a command, who did before, and from which session on; a repeat publishes nothing."""

    version: str
    previous: str
    valid_from: date | None
    published: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Give the decision as JSON types."""
        return asdict(self) | {"valid_from": str(self.valid_from) if self.valid_from else None}


def decide(loop: Loop, version: str | None, reason: str, *, again: bool = False) -> Decision:
    """Put a version into office from the next session on; without one, the version that served before.

    With `again` also one that is in office: every process that refused it tries once more to load it. Who has
    it in memory goes on with that.

    Raises:
        RejectError: nobody trained it, or it can't serve.
        UsageError: nobody served before.
        TryAgainError: broker, registry or store is away.
    """
    source = Source(loop.pool, PRODUCER)
    source.open()  # fences who is at it, so that what is looked at now is still so when we publish
    try:
        return _decide(loop, source, version, reason, again=again)
    finally:
        source.close()


def _decide(loop: Loop, source: Source, version: str | None, reason: str, *, again: bool) -> Decision:
    book = ModelBook(loop, Models(loop.live))  # nothing loaded before: the file may have changed since
    previous = book.offices.champion.version
    chosen = _before(book) if version is None else version
    require_able(book, chosen)
    if chosen == previous and not again:
        return Decision(chosen, previous, None, published=False, message=f"{chosen} serves already")
    promoted = ModelPromoted(
        model_version=chosen, previous_version=previous, reason=reason, valid_from=first_session(loop)
    )
    _publish(loop, source, promoted)
    return Decision(chosen, previous, promoted.valid_from, published=True, message=_told(promoted))


def _before(book: ModelBook) -> str:
    """Name the version that served before.

    Raises:
        UsageError: there was none.
    """
    term = book.offices.before()
    if term is not None:
        return term.version
    serving = book.offices.champion.version
    if serving == PERSISTENCE:
        message = "no version serves: there is nothing to roll back"
    else:
        message = (
            f"nothing served before {serving}: 'nepse models promote {PERSISTENCE}' lets persistence predict,"
            " 'nepse models list' shows the others"
        )
    raise UsageError(message)


def require_able(book: ModelBook, version: str) -> None:
    """Load a version, as those who predict would.

    Raises:
        RejectError: nobody trained it, it does not load, or it takes other vectors than this code computes.
        TryAgainError: registry or store is away.
    """
    if version == PERSISTENCE:
        return
    named = book.offices.newest(version)
    if named is None:
        raise RejectError(why_unknown(book.offices, version))
    why = "nobody knows what it was trained on" if named.trained.training_end is None else ""
    try:
        model = book.model(version)
    except RejectError as error:
        why = str(error)
    else:
        own = set_of(model.card.feature_set)
        if own != FEATURE_SET:
            why = f"it was trained on feature set {own}, this code computes set {FEATURE_SET}"
    if why:
        message = f"{version} can't serve: {why}"
        raise RejectError(message)


def first_session(loop: Loop) -> date | None:
    """Name the first session that has not been held yet; None where none was held."""
    held = held_until(loop, datetime.now(EXCHANGE_TZ).date())
    return targets(loop).next_session(held[-1]) if held else None


def _publish(loop: Loop, source: Source, promoted: ModelPromoted) -> None:
    change = f"{promoted.model_version} after {promoted.previous_version}"
    event_id = derive_id(PRODUCER, change, str(loop.models.refresh()))
    metadata = beginning(promoted, event_id)
    source.publish([record_of("models", PRODUCER, promoted, metadata, loop.settings.model_name)])


def _told(promoted: ModelPromoted) -> str:
    since = f" for sessions from {promoted.valid_from} on" if promoted.valid_from else ""
    return f"{promoted.model_version} serves{since}, before it {promoted.previous_version}: {promoted.reason}"
