"""One readable message for many alerts."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeGuard

from events.payloads import AlertRaised, AlertResolved

QUIETEST = "info"
"""Alerts of this severity are kept on the topic and on the read side, and sent to nobody."""

SHOWN = 5
"""Alerts of a rule that are written out; the rest are counted."""


def worth_telling(payload: object) -> TypeGuard[AlertRaised | AlertResolved]:
    """Tell whether people are told of it: not of what was found in old sessions, nor of mere information."""
    if isinstance(payload, AlertRaised):
        return not payload.historic and payload.severity != QUIETEST
    return isinstance(payload, AlertResolved) and payload.severity != QUIETEST


def digest(news: Sequence[AlertRaised | AlertResolved]) -> str:
    """Group alerts by rule, the largest values first; bounded in length however many there are."""
    groups: dict[tuple[str, str], list[AlertRaised | AlertResolved]] = defaultdict(list)
    for item in news:
        groups[type(item).__name__, item.rule].append(item)
    return "\n".join(line for (kind, rule), items in groups.items() for line in _lines(kind, rule, items))


def _lines(kind: str, rule: str, items: list[AlertRaised | AlertResolved]) -> list[str]:
    verb = "raised" if kind == "AlertRaised" else "resolved"
    ordered = sorted(items, key=lambda item: -(getattr(item, "value", None) or 0.0))
    lines = [f"{rule}: {len(items)} {verb}"] + [f"  {item.message}" for item in ordered[:SHOWN]]
    return lines + ([f"  and {len(items) - SHOWN} more"] if len(items) > SHOWN else [])
