"""Versions that could not predict although it was their turn: told once a week, by the first record."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from events.envelope import derive_id
from events.payloads import AlertRaised, FeaturesComputed, ModelPromoted, ModelTrained
from infra.bootstrap import Loop
from infra.database import state
from infra.kafka.records import Received
from infra.kafka.work import Work
from tasks.core.alert_events import LONGEST
from tasks.core.alert_rules import alert_id
from tasks.core.feature_sets import set_of
from tasks.core.features import FEATURE_SET
from tasks.serving import FALLBACK, REFUSED, Choice, ModelBook, Skip

SEVERITY = {REFUSED: "critical", FALLBACK: "warning"}

Said = Received[ModelTrained] | Received[ModelPromoted]


def tell_of_models(loop: Loop, work: Work, book: ModelBook, said: Iterable[Said]) -> None:
    """Check the versions that a slice names, and publish an alert for each that can't serve.

    Raises:
        TryAgainError: registry, store or database is away.
    """
    for one in said:
        if skip := book.check(one.payload, one.place.offset):
            _tell_once(loop, work, skip, [one], ", the version before it goes on")


def tell_of_choices(
    loop: Loop, work: Work, chosen: Iterable[tuple[Received[FeaturesComputed], Choice]]
) -> None:
    """Publish an alert for each version that was passed over, caused by the vector that showed it first.

    Raises:
        TryAgainError: the database is away.
    """
    showing: dict[Skip, list[Received[Any]]] = defaultdict(list)
    instead: dict[Skip, str] = {}
    for vector, choice in chosen:
        for skip in _notable(vector.payload, choice):
            showing[skip].append(vector)
            instead.setdefault(skip, choice.version)
    for skip, vectors in showing.items():
        _tell_once(loop, work, skip, vectors, f", {instead[skip]} predicts instead")


def _notable(vector: FeaturesComputed, choice: Choice) -> Iterator[Skip]:
    """Pass on what is wrong with versions: a vector that this code did not compute fits none of them."""
    ours = set_of(vector.feature_set) == FEATURE_SET
    for number, skip in enumerate(choice.skipped):
        if skip.rule == REFUSED or (ours and number == 0):
            yield skip


def _tell_once(loop: Loop, work: Work, skip: Skip, showing: list[Received[Any]], instead: str) -> None:
    """Publish unless another record showed it first: slices of several partitions find it at once.

    A retry of the slice that was first finds the same record and publishes again; a rehearsal claims nothing.
    The same in another week of sessions is told again, since it was over in between, or was overlooked: of
    several in a slice the newest.
    """
    week = max(map(_week, showing))
    newest = [one for one in showing if _week(one) == week]
    about = f"{skip.version} at {skip.at} of set {FEATURE_SET} in {week}"
    name = derive_id(work.run.flow, about, skip.rule)
    first = newest[0].place
    owner = state.claimant(loop.database, name, None if loop.rehearses("models") else first) or first
    cause = next((one for one in newest if one.place == owner), None)
    if cause is not None:
        work.publish("alerts", _alert(skip, instead), cause, f"{skip.rule} {skip.version}")


def _week(showing: Received[Any]) -> str:
    """Name the ISO week of the session that a record is about; nothing where it is about none."""
    payload = showing.payload
    day = payload.date if isinstance(payload, FeaturesComputed) else _counts_from(payload)
    return f"{day:%G-W%V}" if day is not None else ""


def _counts_from(said: ModelTrained | ModelPromoted) -> date | None:
    """Tell where an entry's first sessions lie, so that it and its first use are one alert."""
    return said.training_end if isinstance(said, ModelTrained) else said.valid_from


def _alert(skip: Skip, instead: str) -> AlertRaised:
    labels = {"model_version": skip.version}
    return AlertRaised(
        rule=skip.rule,
        severity=SEVERITY[skip.rule],
        message=f"{skip.version} does not serve{instead}: {skip.why}"[:LONGEST],
        alert_id=alert_id(skip.rule, labels),
        labels=labels,
    )
