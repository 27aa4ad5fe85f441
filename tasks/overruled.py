"""A training does not overrule a person who decided who serves while it was under way."""

from events.payloads import ModelPromoted
from infra.bootstrap import Loop
from infra.kafka.records import Received, of_kind
from tasks.core.offices import by_person
from tasks.registering import Answer


def not_overruling(loop: Loop, answer: Answer) -> Answer:
    """Leave a version where it is if a person has promoted one since its promotion was decided.

    What is asked is the topic as it is now: a training takes minutes, and its slice sees the topic as it was
    when it began. Whoever decides within the moment before the commit is heard by those who read
    (`core/offices.py`); here it is seen in time to say so.
    """
    person = _decided(loop, answer.said.models_seen or 0) if answer.said.promoted else None
    if person is None:
        return answer
    decision = person.payload
    why = (
        f"not promoted: {decision.model_version} was, by a person, while it was trained ({decision.reason});"
        f" else {answer.said.why or 'promoted'}"
    )
    return answer._replace(said=answer.said.model_copy(update={"promoted": False, "why": why[:1000]}))


def _decided(loop: Loop, since: int) -> Received[ModelPromoted] | None:
    """Find the newest decision of a person from an offset of `models` on."""
    now = loop.live.models
    entries = of_kind(now.between(since, now.refresh()), ModelPromoted)
    return next((one for one in reversed(entries) if by_person(one.payload)), None)
