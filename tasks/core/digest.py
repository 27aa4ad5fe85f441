"""One readable message for many alerts."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeGuard

from events.alerts import rank
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
        """Either raised or resolved; untold, where a message about alerts reached the log alone."""

    @property
    def rule(self) -> str:
        """The rule's name."""

    @property
    def message(self) -> str:
        """One sentence."""

    @property
    def value(self) -> float | None:
        """What was measured."""

    @property
    def severity(self) -> str | None:
        """How much it matters."""


def digest(news: Sequence[News]) -> str:
    """Group news by rule, the gravest and then the most frequent first; bounded, however many there are."""
    groups: dict[tuple[str, str], list[News]] = defaultdict(list)
    for item in news:
        groups[item.kind, item.rule].append(item)
    ordered = sorted(groups.items(), key=lambda group: _place(group[0][0], group[1]))
    lines = [line for (kind, rule), items in ordered[:RULES] for line in _lines(kind, rule, items)]
    rest = sum(len(items) for _, items in ordered[RULES:])
    return "\n".join([*lines, f"and {rest} about other rules"] if rest else lines)


def _place(kind: str, items: list[News]) -> tuple[int, bool, int]:
    """What is grave comes first, then what goes on before what is over, then what there is most of."""
    return -_worst(items), kind == "resolved", -len(items)


def _worst(items: list[News]) -> int:
    return max(rank(item.severity) for item in items)


def _lines(kind: str, rule: str, items: list[News]) -> list[str]:
    ordered = sorted(items, key=lambda item: (-rank(item.severity), -(item.value or 0.0)))
    grave = ", critical" if _worst(items) == rank("critical") else ""
    lines = [f"{_short(rule)}: {len(items)} {kind}{grave}"] + [
        f"  {_short(item.message)}" for item in ordered[:SHOWN]
    ]
    return lines + ([f"  and {len(items) - SHOWN} more"] if len(items) > SHOWN else [])


def _short(text: str) -> str:
    """Keep a foreign text from filling the message, or from beginning lines of its own."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
