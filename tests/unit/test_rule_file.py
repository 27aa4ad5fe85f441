"""A file of alert rules is read whole, or every mistake in it is named with its line."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.alert_rules import ABOUT, AlertRule, Quiet
from tasks.core.alerting import MEASURES
from tasks.core.rule_file import Problem, RulesError, defaults, parse

GOOD = """\
rules:
  - name: lagging
    about: lag
    measure: seconds
    above: 15
    for: 5s
    severity: critical
    channels: [ops, mail]
    quiet: 22:00-07:00
    repeat: 4h
    by: [flow]
    runbook: docs/how-to/lag.md
"""

WRONG = {
    "unknown key": ("    colour: red", 5, "unknown key colour"),
    "key twice": ("    about: lag", 5, "the key about comes twice"),
    "no number": ("    above: many", 5, "many is no finite number"),
    "not finite": ("    above: .inf", 5, "is no finite number"),
    "unknown severity": ("    above: 1\n    severity: bad", 6, "bad is none of info, warning, critical"),
    "no span": ("    above: 1\n    for: soon", 6, "soon is no span"),
    "no time": ("    above: 1\n    for: 5 sessions", 6, "a span of time is expected"),
    "zero span": ("    above: 1\n    for: 0s", 6, "0s is no span"),
    "no hours": ("    above: 1\n    quiet: 24:00-07:00", 6, "are no hours"),
    "no list": ("    above: 1\n    by: flow", 6, "a list is expected"),
    "nested": ("    above: {a: 1}", 5, "one value is expected"),
    "two limits": ("    above: 1\n    below: 0", 5, "one limit"),
    "no limit": ("    severity: info", 2, "one limit"),
    "unknown label": ("    above: 1\n    by: [symbol]", 6, "lag has no label symbol: flow"),
    "needless window": ("    above: 1\n    over: 5m", 6, "lag has no window"),
    "needless statistic": (
        "    above: 1\n    statistic: mean",
        6,
        "a statistic belongs to windows of sessions",
    ),
}


def lag(rest: str, measure: str = "seconds") -> str:
    """A rule about lag, its name in line 2."""
    return f"rules:\n  - name: lagging\n    about: lag\n    measure: {measure}\n{rest}\n"


def test_every_key_becomes_a_field() -> None:
    """Spans become seconds, hours become times of day."""
    assert parse(GOOD) == (
        AlertRule(
            name="lagging",
            about="lag",
            measure="seconds",
            above=15.0,
            held_s=5.0,
            severity="critical",
            channels=("ops", "mail"),
            quiet=Quiet(time(22), time(7)),
            repeat_s=14_400.0,
            by=("flow",),
            runbook="docs/how-to/lag.md",
            line=2,
        ),
    )


@pytest.mark.parametrize(("rest", "line", "told"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_with_its_line(rest: str, line: int, told: str) -> None:
    """Whoever wrote the file looks there first."""
    with pytest.raises(RulesError) as caught:
        parse(lag(rest))
    [problem] = caught.value.problems
    assert problem.line == line
    assert told in problem.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file needs a list"),
        ("rules: 3", "the file needs a list"),
        ("- a", "the file needs a list"),
        ("rules:\n - 3", "a rule is a mapping"),
        ("rules: []\nmore: 1", "unknown key more"),
        ("rules: [", "no YAML"),
        ("rules:\n  - {name: a, name: b}", "the key name comes twice"),
        ("rules:\n  - ? [a]\n    : b", "a key is a word"),
        ("rules: \x00", "no YAML"),
    ],
)
def test_what_is_no_list_of_rules_is_refused(text: str, told: str) -> None:
    """Also what is no YAML at all."""
    with pytest.raises(RulesError, match=told):
        parse(text)


def test_a_measure_belongs_to_what_the_rule_is_about() -> None:
    """The sentence lists those that there are."""
    with pytest.raises(RulesError, match="line 4: lag has no measure height: records, seconds"):
        parse(lag("    above: 1", measure="height"))


@pytest.mark.parametrize(("by", "line"), [("", 2), ("    by: []\n", 6)])
def test_a_rule_about_single_errors_is_by_share(by: str, line: int) -> None:
    """Without it an alert about one share would be over by another's error."""
    text = f"rules:\n  - name: big\n    about: error\n    measure: abs_error\n    above: 50\n{by}"
    with pytest.raises(RulesError) as caught:
        parse(text)
    [problem] = caught.value.problems
    assert problem.line == line
    assert "error needs by: [symbol]" in problem.message


def test_a_rule_names_channels_that_there_are() -> None:
    """Where somebody says which; a name that nobody has would be passed over in silence."""
    assert parse(GOOD) == parse(GOOD, ("mail", "ops", "log"))
    with pytest.raises(RulesError, match="line 8: there is no channel mail: ops, log"):
        parse(GOOD, ("ops", "log"))


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of their lines, a name that comes twice included."""
    text = (
        lag("    above: 1") + lag("    above: 1").removeprefix("rules:\n") + "  - about: lag\n    above: x\n"
    )
    with pytest.raises(RulesError) as caught:
        parse(text)
    assert [line for line, _ in caught.value.problems] == [6, 10, 10, 11]
    assert "the first is in line 2" in str(caught.value)


def test_a_window_of_sessions_has_a_statistic() -> None:
    """And the other way round: windows of seconds are counted."""
    errors = "rules:\n  - name: e\n    about: errors\n    measure: lead\n    above: 1\n"
    with pytest.raises(RulesError, match=r"a statistic belongs.*errors needs over, in sessions"):
        parse(errors)
    [rule] = parse(f"{errors}    over: 5 sessions\n    statistic: mean\n")
    assert (rule.over, rule.statistic) == (5, "mean")
    with pytest.raises(RulesError, match="line 6: errors counts over in sessions, not in seconds"):
        parse(f"{errors}    over: 10m\n    statistic: mean\n")
    with pytest.raises(RulesError, match="nothing can be held"):
        parse("rules:\n  - {name: e, about: error, measure: abs_error, above: 1, for: 5s}")


def test_the_rules_that_come_with_the_system_are_sound() -> None:
    """All that has to be watched is: each thing that rules can be about has at least one."""
    rules = defaults()
    assert {rule.about for rule in rules} == set(ABOUT)
    assert {(rule.measure, rule.above) for rule in rules if rule.about == "error"} >= {("abs_error", 50.0)}
    assert set(ABOUT["error"].measures) == set(MEASURES)


def read(text: str) -> tuple[tuple[AlertRule, ...], list[Problem]]:
    """Read a file: its rules, or its problems."""
    try:
        return parse(text), []
    except RulesError as error:
        return (), error.problems


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else can happen to who starts the system with it."""
    rules, problems = read(text)
    assert not rules
    assert problems


@given(st.lists(st.sampled_from(GOOD.splitlines()), min_size=1, max_size=14))
def test_any_order_of_good_lines_is_read_or_refused(lines: list[str]) -> None:
    """As an editor might leave them."""
    rules, problems = read("\n".join(lines))
    assert bool(rules) != bool(problems)


NIGHT, NOON = Quiet(time(22), time(7)), Quiet(time(11), time(15))


@pytest.mark.parametrize(
    ("quiet", "clock", "ends"),
    [
        (NIGHT, "2024-03-03 21:59", None),
        (NIGHT, "2024-03-03 22:00", "2024-03-04 07:00"),
        (NIGHT, "2024-03-04 06:59", "2024-03-04 07:00"),
        (NIGHT, "2024-03-04 07:00", None),
        (NOON, "2024-03-04 12:00", "2024-03-04 15:00"),
        (NOON, "2024-03-04 15:00", None),
    ],
)
def test_quiet_hours_are_those_of_kathmandu(quiet: Quiet, clock: str, ends: str | None) -> None:
    """Whatever the time zone of who asks."""
    asked = datetime.fromisoformat(f"{clock}+05:45").astimezone(UTC)
    assert quiet.until(asked) == (datetime.fromisoformat(f"{ends}+05:45") if ends else None)
