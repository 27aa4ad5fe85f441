"""Reads a file of alert rules; says of everything that is wrong in it, in which line.

The file is YAML with a fixed set of keys: nothing in it is evaluated. Its nodes know their lines.
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import time
from importlib.resources import files
from typing import Any, NamedTuple, get_args

import yaml

from events.alerts import Severity
from tasks.core.alert_rules import ABOUT, AlertRule, Quiet, Statistic
from tasks.core.rule_sense import contradictions

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DURATION = re.compile(r"(\d{1,6}) ?(s|m|h|d|sessions?)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CLOCK = r"((?:[01]\d|2[0-3]):[0-5]\d)"
_HOURS = re.compile(f"{_CLOCK}-{_CLOCK}")
_REQUIRED = ("name", "about", "measure")


class Problem(NamedTuple):
    """What is wrong, and in which line of the file (from 1)."""

    line: int
    message: str


class RulesError(ValueError):
    """A file of rules can't be used."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep all problems, in the order of their lines."""
        self.problems = sorted(problems)
        super().__init__("; ".join(f"line {line}: {message}" for line, message in self.problems))


class _WrongError(ValueError):
    """A value that can't be used; the caller knows the line."""


def defaults() -> tuple[AlertRule, ...]:
    """Read the rules that come with the system."""
    return parse(files("tasks.core").joinpath("alert_rules.yaml").read_text("utf-8"))


def parse(text: str, channels: Collection[str] | None = None) -> tuple[AlertRule, ...]:
    """Read rules.

    A rule may name these channels, any where None are given.

    Raises:
        RulesError: anything is wrong; it names every problem.
    """
    problems: list[Problem] = []
    rules = [rule for node in _entries(text, problems) if (rule := _rule(node, problems, channels))]
    firsts = {rule.name: rule.line for rule in reversed(rules)}
    problems += [
        Problem(rule.line, f"a second rule {rule.name}: the first is in line {firsts[rule.name]}")
        for rule in rules
        if rule.line != firsts[rule.name]
    ]
    if problems:
        raise RulesError(problems)
    return tuple(rules)


def _entries(text: str, problems: list[Problem]) -> list[yaml.MappingNode]:
    """Find the list under `rules`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(Problem(line, f"no YAML: {error.problem}"))
        return []
    except yaml.YAMLError as error:  # a character that YAML has no place for
        problems.append(Problem(1, f"no YAML: {str(error).splitlines()[0]}"))
        return []
    found = dict(_pairs(root, problems)) if isinstance(root, yaml.MappingNode) else {}
    listed = found.pop("rules", None)
    problems += [Problem(_line(node), f"unknown key {key}: only rules") for key, node in found.items()]
    if not isinstance(listed, yaml.SequenceNode):
        problems.append(Problem(_line(listed or root), "the file needs a list under the key rules"))
        return []
    wrong = [node for node in listed.value if not isinstance(node, yaml.MappingNode)]
    problems += [Problem(_line(node), "a rule is a mapping of keys to values") for node in wrong]
    return [node for node in listed.value if isinstance(node, yaml.MappingNode)]


def _line(node: yaml.Node | None) -> int:
    return node.start_mark.line + 1 if node is not None else 1


def _pairs(node: yaml.MappingNode, problems: list[Problem]) -> Iterator[tuple[str, yaml.Node]]:
    """List keys and values; a key that comes twice is a problem, and its first value counts."""
    seen: set[str] = set()
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name in seen or not name:
            problems.append(Problem(_line(key), f"the key {name} comes twice" if name else "a key is a word"))
            continue
        seen.add(name)
        yield name, value


def _rule(
    node: yaml.MappingNode, problems: list[Problem], channels: Collection[str] | None
) -> AlertRule | None:
    """Read a rule; None where anything is wrong with it."""
    before, values, lines = len(problems), dict[str, Any](), dict[str, int]()
    for key, value in _pairs(node, problems):
        field, read = _FIELDS.get(key, (key, None))
        lines[field] = _line(value)
        if read is None:
            known = ", ".join(_FIELDS)
            problems.append(Problem(_line(value), f"unknown key {key}: a rule has {known}"))
            continue
        try:
            values[field] = read(value)
        except _WrongError as error:
            problems.append(Problem(_line(value), f"{key}: {error}"))
    missing = [key for key in _REQUIRED if key not in lines]
    problems += [Problem(_line(node), f"a rule needs {key}") for key in missing]
    if len(problems) > before:
        return None
    values["over"], values["over_unit"] = values.get("over", (None, None))
    rule = AlertRule(**values, line=_line(node))
    problems += [Problem(lines.get(field, rule.line), told) for field, told in contradictions(rule, channels)]
    return rule if len(problems) == before else None


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        message = "one value is expected"
        raise _WrongError(message)
    return str(node.value)


def _number(node: yaml.Node) -> float:
    text = _text(node)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        message = f"{text} is no finite number"
        raise _WrongError(message)
    return value


def _word(node: yaml.Node) -> str:
    text = _text(node)
    if not _NAME.fullmatch(text):
        message = f"{text} is no name: small letters, digits, underscores"
        raise _WrongError(message)
    return text


def _one_of(*known: str) -> Callable[[yaml.Node], str]:
    def read(node: yaml.Node) -> str:
        text = _text(node)
        if text not in known:
            message = f"{text} is none of {', '.join(known)}"
            raise _WrongError(message)
        return text

    return read


def _span(node: yaml.Node) -> int:
    """Read `30s`, `5m`, `4h`, `2d` as seconds, `5 sessions` as a number of sessions."""
    match = _DURATION.fullmatch(_text(node))
    if not match or not int(match[1]):
        message = f"{_text(node)} is no span: write 30s, 5m, 4h, 2d or 5 sessions"
        raise _WrongError(message)
    return int(match[1]) * _SECONDS.get(match[2], 1)


def _window(node: yaml.Node) -> tuple[int, str]:
    return _span(node), "sessions" if "session" in _text(node) else "seconds"


def _seconds(node: yaml.Node) -> float:
    if "session" in _text(node):
        message = "a span of time is expected: 30s, 5m, 4h or 2d"
        raise _WrongError(message)
    return float(_span(node))


def _words(node: yaml.Node) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode):
        message = "a list is expected"
        raise _WrongError(message)
    return tuple(map(_word, node.value))


def _quiet(node: yaml.Node) -> Quiet:
    match = _HOURS.fullmatch(_text(node))
    if not match:
        message = f"{_text(node)} are no hours: write 22:00-07:00"
        raise _WrongError(message)
    return Quiet(*map(time.fromisoformat, match.groups()))


_FIELDS: dict[str, tuple[str, Callable[[yaml.Node], Any]]] = {
    "name": ("name", _word),
    "about": ("about", _one_of(*ABOUT)),
    "measure": ("measure", _word),
    "above": ("above", _number),
    "below": ("below", _number),
    "statistic": ("statistic", _one_of(*get_args(Statistic))),
    "over": ("over", _window),
    "for": ("held_s", _seconds),
    "severity": ("severity", _one_of(*get_args(Severity))),
    "channels": ("channels", _words),
    "quiet": ("quiet", _quiet),
    "repeat": ("repeat_s", _seconds),
    "by": ("by", _words),
    "runbook": ("runbook", _text),
}
"""By key of the file: the rule's field, and how it is read."""
