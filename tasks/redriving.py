"""Dead letters are tried again with today's code: which, and what became of each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from random import uniform
from typing import Any

from infra.bootstrap import Loop
from infra.database import refused
from infra.errors import LoopError, RejectError, SupersededError, UsageError
from infra.kafka.letters import Letter, read_letters, resolved
from infra.kafka.redriving import Redrive, open_redrive
from infra.kafka.work import Work
from infra.progress import tell
from infra.running import wait
from infra.wiring import Route, routes
from tasks.work import Steps, this_run

BATCH = 200
"""Letters of one partition that are tried in one transaction, unless live slices take over meanwhile."""
MOST_TAKEOVERS = 20
"""In a row, after which a partition is left for another time: a batch of 200 is one letter after eight."""
AFTER_TAKEOVER = 0.5, 2.0
"""Seconds within which we come back, at random: live slices get their turn, and not at the same beat."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which open letters are meant: by id (or its beginning), by flow, by a part of the reason, or all."""

    ids: tuple[str, ...] = ()
    flow: str | None = None
    reason: str | None = None
    every: bool = False

    def means(self, letter: Letter) -> bool:
        """Tell whether a letter is among the chosen; several conditions must all hold."""
        if letter.resolved:
            return False
        named = not self.ids or letter.id.startswith(self.ids)
        of_flow = self.flow is None or letter.flow == self.flow
        return named and of_flow and (self.reason is None or self.reason in letter.reason)


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one letter: `resolved`, `failed`, `would be tried`, or `left alone`."""

    id: str
    flow: str
    source: str
    outcome: str
    attempts: int
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the line as JSON types."""
        return asdict(self)


def line(letter: Letter, outcome: str, reason: str = "", more: int = 0) -> Line:
    """Tell what became of a letter, with `more` attempts than before."""
    return Line(letter.id, letter.flow, str(letter.place), outcome, letter.attempts + more, reason)


def chosen(loop: Loop, choice: Choice) -> list[Letter]:
    """Find the open letters that are meant, oldest first.

    Raises:
        UsageError: nothing was chosen, or an id names no letter.
    """
    if not (choice.ids or choice.flow or choice.reason or choice.every):
        message = "say which letters: an id, a flow, a part of the reason, or all"
        raise UsageError(message)
    letters = read_letters(loop.settings)
    if unknown := [one for one in choice.ids if not any(letter.id.startswith(one) for letter in letters)]:
        message = f"no dead letter {', '.join(unknown)}: see 'nepse dlq list --status all'"
        raise UsageError(message)
    return [letter for letter in letters if choice.means(letter)]


def retry(loop: Loop, letters: Iterable[Letter], steps: Mapping[str, Steps]) -> list[Line]:
    """Try letters again, those of one flow and partition together; returns what became of each."""
    known = {route.flow: route for route in routes()}
    groups: dict[tuple[str, str, int], list[Letter]] = defaultdict(list)
    lines = []
    for letter in letters:
        if letter.flow in known and letter.flow in steps:
            unit = "" if known[letter.flow].paired else letter.place.topic
            groups[letter.flow, unit, letter.place.partition].append(letter)
        else:
            lines.append(line(letter, "left alone", f"no flow {letter.flow} rejects records now"))
    for (flow, _, _), members in groups.items():
        tell("letters", len(lines), len(lines) + len(members))
        lines += _retry_unit(loop, known[flow], members, steps[flow])
    return lines


def _retry_unit(loop: Loop, route: Route, letters: list[Letter], steps: Steps) -> list[Line]:
    """Try letters of one partition, fewer at a time when its live slices take over before they are done.

    A live slice that we fenced is planned again after a second and fences us in turn: on a busy partition
    only a batch that takes less than that gets through. Where not even one letter does, however often it is
    tried, the rest is left for another time.
    """
    lines: list[Line] = []
    most, lost = BATCH, 0
    while left := letters[len(lines) : len(lines) + most]:
        try:
            lines += _retry_batch(loop, route, left, steps)
            most, lost = min(BATCH, 2 * most), 0
        except SupersededError:
            most, lost = max(1, len(left) // 2), lost + 1
            if lost > MOST_TAKEOVERS or wait(uniform(*AFTER_TAKEOVER)):  # noqa: S311
                rest = letters[len(lines) :]
                return lines + [line(one, "left alone", "its partition is busy: try again") for one in rest]
    return lines


def _retry_batch(loop: Loop, route: Route, letters: list[Letter], steps: Steps) -> list[Line]:
    """Try letters in one transaction, and tell of each; who comes second finds them resolved.

    What an attempt leaves in the flow's private state must not count unless it is committed: so the letters
    are noted there first.
    """
    with open_redrive(loop.pool, this_run(route.flow), route, letters[0]) as redrive:
        refused.confirm(loop.database, route.flow, {letter.place: letter.id for letter in letters})
        done = resolved(loop.live.redrives, [letter.id for letter in letters])
        lines = [line(one, "left alone", "it was resolved meanwhile") for one in letters if one.id in done]
        lines += [_retry_one(loop, redrive, one, steps) for one in letters if one.id not in done]
        redrive.commit()
    return lines


def _retry_one(loop: Loop, redrive: Redrive, letter: Letter, steps: Steps) -> Line:
    """Take the flow's steps with a letter's original.

    Raises:
        LoopError: something outside is away; this says nothing about the letter.
    """
    work = redrive.work(letter)
    failure = _failure(loop, work, steps)
    if failure:
        redrive.count_attempt(letter, work, failure)
        return line(letter, "failed", failure, more=1)
    redrive.resolve(letter, work)
    return line(letter, "resolved", more=1)


def _failure(loop: Loop, work: Work, steps: Steps) -> str:
    """Say why a letter can't be processed today either; nothing when it can."""
    try:
        steps(loop.as_of(), work)
    except RejectError as error:
        return str(error)
    except LoopError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever the data makes of the flow is its reason)
        return f"{type(error).__name__}: {error}"
    return work.reasons[0] if work.reasons else ""
