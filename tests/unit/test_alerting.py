"""Alert rules, and the digest that people get."""

from datetime import UTC, date, datetime

import pytest

from events.payloads import ErrorComputed
from infra.database.outbox import Note
from tasks.core.alerting import AlertManager
from tasks.core.digest import RULES, SHOWN, WIDTH, digest


def an_error(abs_error: float, pct_error: float | None = 1.0) -> ErrorComputed:
    """An error event of a given size."""
    return ErrorComputed(
        symbol="NABIL",
        date=date(2024, 1, 2),
        predicted=100.0,
        actual=100.0,
        error=-abs_error,
        abs_error=abs_error,
        pct_error=pct_error,
    )


@pytest.mark.parametrize(("abs_error", "raised"), [(49.99, []), (50.0, []), (50.01, ["abs_error"])])
def test_the_chapters_rule(abs_error: float, raised: list[str]) -> None:
    """An absolute error above 50 raises an alert; exactly 50 does not."""
    assert [alert.rule for _, alert in AlertManager().process([an_error(abs_error)])] == raised


def test_percentage_rule_takes_the_size_and_skips_null() -> None:
    """A large negative percentage is a breach, an unknown percentage is none."""
    found = AlertManager().process([an_error(1.0, -12.0), an_error(1.0, None)])
    assert [(alert.rule, alert.value) for _, alert in found] == [("pct_error", 12.0)]


def test_an_error_that_was_taken_back_breaches_nothing() -> None:
    """Nobody is to be told of what turned out not to be."""
    assert not AlertManager().process([an_error(99.0, 50.0).model_copy(update={"retracted": True})])


def a_note(rule: str, message: str, value: float, kind: str = "raised", severity: str = "warning") -> Note:
    """A note about an alert."""
    return Note("id", "log", kind, rule, message, value, datetime(2024, 1, 2, tzinfo=UTC), severity)


def test_digest_is_bounded() -> None:
    """Ten thousand alerts of one rule are a handful of lines, the largest first, the rest counted."""
    lines = digest([a_note("abs_error", f"m{n}", float(n)) for n in range(10_000)]).splitlines()
    assert len(lines) == SHOWN + 2
    assert lines[:2] == ["abs_error: 10000 raised", "  m9999"]
    assert lines[-1] == f"  and {10_000 - SHOWN} more"


def test_digest_is_bounded_in_rules_and_in_width() -> None:
    """A foreign client that invents rules, or writes long messages of many lines, fills no mailbox."""
    text = digest([a_note(f"rule {n}", "long\n" * 1_000, 1.0) for n in range(10_000)])
    assert len(text.splitlines()) == 2 * RULES + 1
    assert max(map(len, text.splitlines())) <= WIDTH + 2
    assert text.endswith(f"and {10_000 - RULES} about other rules")


def test_digest_tells_the_gravest_first() -> None:
    """Then what goes on before what is over, then what there is most of; a foreign severity is a warning."""
    often = [a_note("often", f"m{n}", 900.0) for n in range(50)]
    over = [a_note("over", "m", 0.0, "resolved", "critical")]
    odd = [a_note("odd", "m", 1.0, severity="dreadful")]
    grave = [a_note("grave", "small", 1.0, severity="critical"), a_note("grave", "large", 9.0)]
    lines = digest([*often, *over, *odd, *grave]).splitlines()
    heads = [line for line in lines if not line.startswith("  ")]
    assert heads == [
        "grave: 2 raised, critical",
        "over: 1 resolved, critical",
        "often: 50 raised",
        "odd: 1 raised",
    ]
    assert lines[1:3] == ["  small", "  large"]
    many = [a_note(f"rule {n}", "m", 1.0) for n in range(RULES) for _ in range(3)]
    assert digest([*many, *grave[:1]]).startswith("grave: 1 raised, critical")
