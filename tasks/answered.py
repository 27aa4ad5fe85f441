"""Requests that need no training of their own: one has seen their data already."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from events.payloads import ModelTrained
from infra.bootstrap import Loop
from infra.kafka.records import Received, of_kind
from tasks.core.feature_sets import set_of
from tasks.core.features import FEATURE_SET
from tasks.core.offices import without_repeats
from tasks.core.triggering import AUTOMATIC
from tasks.registering import Trigger, newest

Told = Received[ModelTrained]


class Again(NamedTuple):
    """What is said of a training once more, for later requests, and the one of them that is its cause."""

    said: ModelTrained
    cause: Trigger


def answered_before(loop: Loop, triggers: Sequence[Trigger]) -> list[Again]:
    """Answer requests by trainings that were told before, of this code's feature set.

    A request of the loop itself asks for a model that knows the sessions up to its own: the training that has
    seen most answers it if it has seen those. Who asks for another reason gets a training of their own,
    unless they asked before one on the very same data was told: it was under way.
    """
    told = sorted(_trainings(loop), key=_end)
    by: dict[int, list[Trigger]] = {}
    for trigger in triggers:
        answer = next((one for one in reversed(told) if _answers(one, trigger)), None)
        if answer is not None:
            by.setdefault(answer.place.offset, []).append(trigger)
    return [_again(one.payload, by[one.place.offset]) for one in told if one.place.offset in by]


def _trainings(loop: Loop) -> Iterator[Told]:
    """List the trainings of this code's feature set, each as it was told first."""
    said = of_kind(loop.models.between(0, loop.models.refresh()), ModelTrained)
    mine = [one for one in said if set_of(one.payload.feature_set) == FEATURE_SET]
    return without_repeats(mine, lambda one: one.payload)


def _end(told: Told) -> date:
    return told.payload.training_end or date.min


def _answers(told: Told, trigger: Trigger) -> bool:
    wanted = trigger.payload.data_end_date
    if trigger.payload.reason in AUTOMATIC:
        return _end(told) >= wanted
    return _end(told) == wanted and told.event.timestamp >= trigger.event.timestamp


def _again(said: ModelTrained, triggers: Sequence[Trigger]) -> Again:
    """Say of a training that it answers these as well; nobody takes office by that."""
    others = {
        "triggers": [one.id for one in triggers],
        "reasons": list(dict.fromkeys(one.payload.reason for one in triggers)),
        "promoted": False,
        "why": f"not trained again: {said.model_version} has seen the sessions up to {said.training_end}",
    }
    return Again(said.model_copy(update=others), newest(triggers))


def left(triggers: Iterable[Trigger], answers: Iterable[ModelTrained]) -> list[Trigger]:
    """Leave out the requests that these answer."""
    named = {name for one in answers for name in one.triggers}
    return [trigger for trigger in triggers if trigger.id not in named]
