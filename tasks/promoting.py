"""A person decides which version serves: a promotion or a rollback, told on the models topic."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from events.envelope import derive_id
from events.payloads import ModelPromoted
from infra.bootstrap import Loop
from infra.errors import RejectError, UsageError
from infra.kafka.records import of_kind
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
    """Who serves after a command, who did before, and from which session on; a rerun publishes nothing."""

    version: str
    previous: str
    valid_from: date | None
    published: bool
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Give the decision as JSON types."""
        return asdict(self) | {"valid_from": str(self.valid_from) if self.valid_from else None}


def decide(
    loop: Loop, version: str | None, reason: str, *, asked_by: str, instead_of: str | None = None
) -> Decision:
    """Put a version into office from the next session on; without one, the version that served before.

    Also one that serves already: a training that is under way does not replace it then, and every process
    that refused it tries once more to load it. Who has it in memory goes on with that.

    Args:
        loop: the loop.
        version: who shall serve; None for a rollback.
        reason: why.
        asked_by: the run that asks. The same one decides once, however often it is started again.
        instead_of: who has to serve at this moment, or nothing is changed.

    Raises:
        RejectError: nobody trained it, it can't serve, or another version than `instead_of` serves.
        UsageError: nobody served before.
        TryAgainError: broker, registry or store is away.
    """
    event_id = derive_id(PRODUCER, asked_by, loop.settings.model_name)
    source = Source(loop.pool, PRODUCER)
    source.open()  # fences who is at it, so that what is looked at now is still so when we publish
    try:
        done = _done(loop, event_id)
        if done is not None:
            return _decision(done, published=False)
        promoted = _decided(loop, version, reason, instead_of)
        metadata = beginning(promoted, event_id)
        source.publish([record_of("models", PRODUCER, promoted, metadata, loop.settings.model_name)])
    finally:
        source.close()
    return _decision(promoted, published=True)


def _done(loop: Loop, event_id: str) -> ModelPromoted | None:
    """Find what this run has decided before."""
    entries = of_kind(loop.models.between(0, loop.models.refresh()), ModelPromoted)
    return next((one.payload for one in entries if one.id == event_id), None)


def _decided(loop: Loop, version: str | None, reason: str, instead_of: str | None) -> ModelPromoted:
    models = Models(loop.live)  # nothing loaded before: the file may have changed since
    book = ModelBook(loop, models)
    if version is None and instead_of is None:
        instead_of = book.offices.champion.version
    _require_serving(book, instead_of)
    chosen = _before(book) if version is None else version
    require_able(book, chosen)
    now = ModelBook(loop, models)  # loading took seconds, in which a training may have ended
    _require_serving(now, instead_of)
    return ModelPromoted(
        model_version=chosen,
        previous_version=now.offices.champion.version,
        reason=reason,
        valid_from=first_session(loop),
    )


def _require_serving(book: ModelBook, version: str | None) -> None:
    """Refuse to go on where another one serves than who asked knows of; None: whoever it is.

    Raises:
        RejectError: another one does.
    """
    serving = book.offices.champion
    if version not in {None, serving.version}:
        message = f"{serving.version} serves by now, not {version} ({serving.reason}): nothing was changed"
        raise RejectError(message)


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


def _decision(promoted: ModelPromoted, *, published: bool) -> Decision:
    previous = promoted.previous_version or PERSISTENCE
    told = _told(promoted) if published else f"this run has decided before: {_told(promoted)}"
    return Decision(promoted.model_version, previous, promoted.valid_from, published, told)


def _told(promoted: ModelPromoted) -> str:
    version, previous = promoted.model_version, promoted.previous_version
    since = f" for sessions from {promoted.valid_from} on" if promoted.valid_from else ""
    before = "as it did" if previous == version else f"before it {previous}"
    return f"{version} serves{since}, {before}: {promoted.reason}"
