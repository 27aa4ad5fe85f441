"""Comparing what a slice published with what it publishes when it is taken again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

IDENTICAL, DIFFERENT, MISSING, EXTRA = "identical", "different", "missing", "extra"


@dataclass(frozen=True, slots=True)
class Output:
    """One event or dead letter: the topic, what it is about (for people), and its fields."""

    topic: str
    about: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """How an output compares: `identical`, `different` (in these fields), `missing` now, or `extra` now."""

    kind: str
    id: str
    topic: str
    about: str
    fields: tuple[str, ...] = ()


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the fields that differ, with both values; `revision` counts corrections and is no difference."""
    return tuple(
        f"{name}: {before.get(name)} -> {now.get(name)}"
        for name in {**before, **now}
        if name != "revision" and before.get(name) != now.get(name)
    )


def compare(
    recorded: Mapping[str, Output],
    made: Iterable[tuple[tuple[str, ...], Output]],
    since: Mapping[str, Output],
) -> list[Finding]:
    """Compare event by event.

    Args:
        recorded: what was published then, and corrections since, by id.
        made: what is made now, each with its id and after it those that its corrections would have: the last
            of them that was published is in force.
        since: what a redrive of refused records published, and the letters that it resolved: right if it is
            made now, and not missing if it is not.

    Returns:
        What is made now in its order, then what is not made any more.
    """
    findings, met, published = [], set[str](), {**since, **recorded}
    for ids, output in made:
        known = [one for one in ids if one in published]
        met.update(known)
        differing = changes(published[known[-1]].fields, output.fields) if known else ()
        kind = EXTRA if not known else DIFFERENT if differing else IDENTICAL
        name = known[-1] if known else ids[0]
        findings.append(Finding(kind, name, output.topic, output.about, differing))
    lost = [(name, output) for name, output in recorded.items() if name not in {*met, *since}]
    return findings + [Finding(MISSING, name, output.topic, output.about) for name, output in lost]
