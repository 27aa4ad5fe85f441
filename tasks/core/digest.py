"""One readable message for many alerts."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeGuard

from events.payloads import AlertRaised, AlertResolved

QUIETEST = "info"
"""Alerts of this severity are kept on the topic and on the read side, and sent to nobody."""

SHOWN, RULES, WIDTH = 5, 12, 200
"""Alerts of a rule that are written out, rules that are named (the rest is counted), letters of a line."""


def worth_telling(payload: object) -> TypeGuard[AlertRaised | AlertResolved]:
    """Tell whether people are told of it: not of what was found in old sessions, nor of mere information."""
    if isinstance(payload, AlertRaised):
        return not payload.historic and payload.severity != QUIETEST
    return isinstance(payload, AlertResolved) and payload.severity != QUIETEST


class News(Protocol):
    """What a line of a digest tells."""

    @property
    def kind(self) -> str:
        """Either raised or resolved."""

    @property
    def rule(self) -> str:
        """The rule's name."""

    @property
    def message(self) -> str:
        """One sentence."""

    @property
    def value(self) -> float | None:
        """What was measured."""


def digest(news: Sequence[News]) -> str:
    """Group news by rule, the largest values first; bounded in length, however many there are."""
    groups: dict[tuple[str, str], list[News]] = defaultdict(list)
    for item in news:
        groups[item.kind, item.rule].append(item)
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    lines = [line for (kind, rule), items in largest[:RULES] for line in _lines(kind, rule, items)]
    rest = sum(len(items) for _, items in largest[RULES:])
    return "\n".join([*lines, f"and {rest} about other rules"] if rest else lines)


def _lines(kind: str, rule: str, items: list[News]) -> list[str]:
    ordered = sorted(items, key=lambda item: -(item.value or 0.0))
    lines = [f"{_short(rule)}: {len(items)} {kind}"] + [
        f"  {_short(item.message)}" for item in ordered[:SHOWN]
    ]
    return lines + ([f"  and {len(items) - SHOWN} more"] if len(items) > SHOWN else [])


def _short(text: str) -> str:
    """Keep a foreign text from filling the message, or from beginning lines of its own."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
