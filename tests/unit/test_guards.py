"""The table of guards fits the source: what it takes out is there, once, and so is the test it names."""

import ast

import pytest

from tests.guards.table import GUARDS, Guard, is_there


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.promise for guard in GUARDS])
def test_a_guard_can_be_taken_out_and_its_test_exists(guard: Guard) -> None:
    """`make guards` tries them all; this keeps the table up to date in between."""
    assert ast.parse(guard.without) is not None
    assert is_there(guard)


def test_a_text_that_is_gone_is_told() -> None:
    """A guard that was moved has to be moved in the table."""
    guard = Guard("x", "infra/kafka/slices.py", "no such line", "", GUARDS[0].test)
    with pytest.raises(ValueError, match="0 times, not once"):
        _ = guard.without
    assert not is_there(Guard("x", "", "", "", GUARDS[0].test + "_of_old"))
