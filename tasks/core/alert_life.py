"""The life of alerts that are looked at now and then: raised, told again, resolved. Pure: time comes in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from tasks.core.alert_rules import AlertRule

CLEAR_S = 15.0
"""A condition has to be gone for at least so long before its alert is resolved: looks are seconds apart, and
a value that trembles about its limit would be told at every other look."""

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order of the names."""


class Sample(NamedTuple):
    """A value that a rule's measure had when it was looked at."""

    rule: str
    labels: Labels
    value: float | None
    """None: it could not be measured, which says nothing."""


class Key(NamedTuple):
    """What makes an alert one and the same: its rule and its labels."""

    rule: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Life:
    """What is remembered of a key between looks."""

    breached_since: datetime
    raised_at: datetime | None = None
    told_at: datetime | None = None
    clear_since: datetime | None = None
    """Since when the condition has not held, while the alert stands."""
    worst: float = 0.0
    silenced: bool = False
    """Somebody acknowledged it: it is not told again."""


class Change(NamedTuple):
    """What is to be told of an alert."""

    kind: Literal["raised", "repeated", "resolved"]
    key: Key
    since: datetime
    """When the condition began to hold."""
    value: float
    """The newest one; of a resolved alert the worst that was seen."""


Lives = Mapping[Key, Life]


def step(
    rules: Iterable[AlertRule], lives: Lives, samples: Iterable[Sample], now: datetime
) -> tuple[dict[Key, Life], list[Change]]:
    """Move all lives on to `now`.

    A condition that holds for the rule's time raises; one that is gone for as long (and CLEAR_S) resolves, so
    that a value that trembles about the limit is told once. A key without a sample is gone (a flow that no
    longer exists); one whose value is None stays as it is. Of several samples of a key the worst counts. A
    rule that is no longer there resolves its alerts at once.

    Returns:
        What to remember, and the changes in the order of their keys.
    """
    known = {rule.name: rule for rule in rules}
    seen = _worst(known, samples)
    after: dict[Key, Life] = {}
    changes: list[Change] = []
    for key in sorted(lives.keys() | seen.keys()):
        life, change = _move(known.get(key.rule), key, lives.get(key), seen.get(key, _ABSENT), now)
        if life:
            after[key] = life
        if change:
            changes.append(change)
    return after, changes


def acknowledged(lives: Lives, key: Key) -> dict[Key, Life]:
    """Keep an alert from being told again until it is resolved."""
    return {one: replace(life, silenced=True) if one == key else life for one, life in lives.items()}


_ABSENT = object()


def _worst(rules: Mapping[str, AlertRule], samples: Iterable[Sample]) -> dict[Key, float | None]:
    """Keep one value a key: the worst in the rule's direction; a value beats none."""
    found: dict[Key, float | None] = {}
    for sample in samples:
        rule = rules.get(sample.rule)
        if rule is None:
            continue
        key = Key(sample.rule, tuple(pair for pair in sample.labels if pair[0] in rule.by))
        held = found.get(key)
        if (
            key not in found
            or held is None
            or (sample.value is not None and _worse(rule, sample.value, held))
        ):
            found[key] = sample.value
    return found


def _worse(rule: AlertRule, value: float, than: float) -> bool:
    return value > than if rule.above is not None else value < than


def _move(
    rule: AlertRule | None, key: Key, life: Life | None, value: object, now: datetime
) -> tuple[Life | None, Change | None]:
    """Move one life on."""
    if rule is None:
        return None, _resolved(key, life)
    if value is None:
        return life, None
    if isinstance(value, float | int) and rule.breached(float(value)):
        return _breached(rule, key, life, float(value), now)
    return _clear(rule, key, life, now)


def _breached(
    rule: AlertRule, key: Key, life: Life | None, value: float, now: datetime
) -> tuple[Life, Change | None]:
    """The condition holds."""
    life = life or Life(now, worst=value)
    worst = value if _worse(rule, value, life.worst) else life.worst
    life = replace(life, clear_since=None, worst=worst)
    if life.raised_at is None:
        if now - life.breached_since < timedelta(seconds=rule.held_s):
            return life, None
        return replace(life, raised_at=now, told_at=now), Change("raised", key, life.breached_since, value)
    due = life.told_at is not None and now - life.told_at >= timedelta(seconds=rule.repeat_s)
    if due and not life.silenced:
        return replace(life, told_at=now), Change("repeated", key, life.breached_since, value)
    return life, None


def _clear(rule: AlertRule, key: Key, life: Life | None, now: datetime) -> tuple[Life | None, Change | None]:
    """The condition does not hold, or nothing is known of the key any more."""
    if life is None or life.raised_at is None:
        return None, None
    life = replace(life, clear_since=life.clear_since or now)
    if life.clear_since and now - life.clear_since < timedelta(seconds=max(rule.held_s, CLEAR_S)):
        return life, None
    return None, _resolved(key, life)


def _resolved(key: Key, life: Life | None) -> Change | None:
    if life is None or life.raised_at is None:
        return None
    return Change("resolved", key, life.breached_since, life.worst)
