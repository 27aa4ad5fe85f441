"""Alerts are raised once, told again in time, and resolved when the cause is gone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from events.fields import LONGEST_TEXT
from events.payloads import AlertRaised, AlertResolved
from tasks.core.alert_events import LONGEST, payload_of
from tasks.core.alert_life import Change, Key, Life, Sample, acknowledged, step
from tasks.core.alert_rules import AlertRule

START = datetime(2024, 3, 3, 9, tzinfo=UTC)
LAG = AlertRule("lagging", "lag", "seconds", above=15.0, held_s=5.0, repeat_s=3_600.0, by=("flow",))
LOW = AlertRule("low", "lag", "records", below=1.0)
PREDICT, JOIN = (("flow", "predict"),), (("flow", "join-errors"),)


def at(seconds: float) -> datetime:
    """Some seconds after the start."""
    return START + timedelta(seconds=seconds)


def lag(value: float | None, labels: tuple[tuple[str, str], ...] = PREDICT) -> Sample:
    """What a look found."""
    return Sample(LAG.name, labels, value)


def play(
    looks: Sequence[tuple[float, list[Sample]]], rules: Sequence[AlertRule] = (LAG,)
) -> list[tuple[float, str, Key]]:
    """Look at these times; list what is told, and when."""
    lives: dict[Key, Life] = {}
    told: list[tuple[float, str, Key]] = []
    for seconds, samples in looks:
        lives, changes = step(rules, lives, samples, at(seconds))
        told += [(seconds, change.kind, change.key) for change in changes]
    return told


def test_a_condition_has_to_hold_before_it_is_told() -> None:
    """And what was over in time is never told."""
    key = Key("lagging", PREDICT)
    assert play([(0, [lag(20)]), (4, [lag(20)])]) == []
    assert play([(0, [lag(20)]), (5, [lag(20)]), (6, [lag(20)])]) == [(5, "raised", key)]
    assert play([(0, [lag(20)]), (4, [lag(1)]), (5, [lag(20)]), (9, [lag(20)])]) == []


def test_what_it_is_about_may_have_a_long_name() -> None:
    """As long as the contract takes one; the sentences about it are cut before they are refused."""
    named = (("flow", "x" * LONGEST_TEXT),)
    lives, changes = dict[Key, Life](), list[Change]()
    for seconds, value in ((0, 20.0), (6, 20.0), (12, 0.0), (100, 0.0)):
        lives, made = step((LAG,), lives, [lag(value, named)], at(seconds))
        changes += made
    told = [payload_of(change, LAG) for change in changes]
    assert [type(one) for one in told] == [AlertRaised, AlertResolved]
    assert all(len(one.message) == LONGEST for one in told)


def test_it_is_resolved_when_it_has_been_gone_for_a_while() -> None:
    """Fifteen seconds at least."""
    looks = [(0, [lag(20)]), (5, [lag(20)]), (10, [lag(1)]), (24, [lag(1)]), (25, [lag(1)]), (30, [lag(1)])]
    assert [(when, kind) for when, kind, _ in play(looks)] == [(5, "raised"), (25, "resolved")]


def test_it_is_told_again_only_in_time() -> None:
    """And not at all once somebody looks after it."""
    looks = [(float(s), [lag(20)]) for s in range(0, 7_300, 100)]
    assert [(when, kind) for when, kind, _ in play(looks)] == [(100, "raised"), (3_700, "repeated")]
    lives, _ = step([LAG], {}, [lag(20)], at(0))
    lives, [raised] = step([LAG], lives, [lag(20)], at(5))
    lives = acknowledged(lives, raised.key)
    assert step([LAG], lives, [lag(20)], at(9_000))[1] == []


def test_a_trembling_value_is_told_once() -> None:
    """A hundred looks, above and below in turn."""
    looks = [(float(s), [lag(20.0 if s % 2 else 10.0)]) for s in range(100)]
    assert len(play(looks, [AlertRule("lagging", "lag", "seconds", above=15.0, by=("flow",))])) == 1


def test_labels_make_alerts_of_their_own_where_the_rule_says_so() -> None:
    """Elsewhere the worst value counts."""
    both = [lag(20, PREDICT), lag(30, JOIN)]
    kinds = play([(0, both), (5, both)])
    assert [key.labels for _, _, key in kinds] == [JOIN, PREDICT]
    whole = AlertRule("lagging", "lag", "seconds", above=15.0)
    _, [change] = step([whole], {}, [*both, lag(None)], at(0))
    assert change == Change("raised", Key("lagging", ()), at(0), 30.0)
    samples = [Sample("low", PREDICT, 5.0), Sample("low", JOIN, 0.0)]
    assert step([LOW], {}, samples, at(0))[1][0].value == 0.0


def test_what_was_not_measured_changes_nothing() -> None:
    """A database that is away does not resolve what it told."""
    looks = [(0, [lag(20)]), (5, [lag(20)]), (60, [lag(None)]), (120, [lag(None)])]
    assert [kind for _, kind, _ in play(looks)] == ["raised"]


def test_a_label_that_is_gone_is_resolved() -> None:
    """A flow that is no longer there lags no more."""
    looks = [(0, [lag(20)]), (5, [lag(20)]), (10, []), (25, [])]
    assert [(when, kind) for when, kind, _ in play(looks)] == [(5, "raised"), (25, "resolved")]


def test_a_rule_that_is_gone_resolves_its_alerts() -> None:
    """At once; samples of rules that nobody has are passed over."""
    lives, _ = step([LAG], {}, [lag(20)], at(0))
    lives, _ = step([LAG], lives, [lag(40)], at(5))
    after, [change] = step([], lives, [lag(50)], at(6))
    assert (after, change.kind, change.value) == ({}, "resolved", 40.0)


LOOKS = st.lists(
    st.tuples(
        st.floats(0.5, 30),
        st.lists(st.tuples(st.sampled_from((PREDICT, JOIN)), st.none() | st.floats(0, 30)), max_size=4),
    ),
    max_size=30,
)


@given(LOOKS)
def test_raised_and_resolved_alternate(
    looks: list[tuple[float, list[tuple[tuple[tuple[str, str], ...], float | None]]]],
) -> None:
    """For each key: never two raises without a resolve between, nothing repeated that was not raised."""
    now, timed = 0.0, []
    for wait, found in looks:
        now += wait
        timed.append((now, [lag(value, labels) for labels, value in found]))
    standing: set[Key] = set()
    for _, kind, key in play(timed):
        assert (key in standing) == (kind != "raised")
        standing = standing - {key} if kind == "resolved" else standing | {key}


@given(st.permutations([lag(20), lag(None), lag(3), lag(25, JOIN), lag(16, JOIN)]))
def test_the_order_of_samples_says_nothing(samples: list[Sample]) -> None:
    """They are of one moment."""
    lives, _ = step([LAG], {}, samples, at(0))
    assert lives == step([LAG], {}, sorted(samples, key=repr), at(0))[0]
    assert lives[Key("lagging", JOIN)].worst == 25
