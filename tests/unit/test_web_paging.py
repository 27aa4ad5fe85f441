"""Where a page begins is an opaque text that only the page before can give."""

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from web import paging

KEYS = st.lists(st.text(max_size=64) | st.integers(-(2**60), 2**60), min_size=1, max_size=3)


@given(KEYS)
def test_a_key_comes_back_as_it_was(key: list[str | int]) -> None:
    """Whatever symbols and offsets it holds, and without a character that an address would change."""
    text = paging.told(key)
    assert text is not None
    assert text.replace("-", "").replace("_", "").isalnum()
    assert paging.key_of(text, len(key)) == key


def test_no_key_is_the_beginning() -> None:
    """And the end has none."""
    assert paging.key_of(None, 2) is None
    assert paging.told(None) is None
    assert paging.number_of(None, 9) == 9


@given(st.text(max_size=60))
def test_what_was_made_up_is_refused(text: str) -> None:
    """Never a fault of ours, whatever the text is."""
    try:
        found = paging.key_of(text, 2)
    except RequestValidationError as error:
        assert error.errors()[0]["loc"] == ("query", "after")  # noqa: PT017 - any text may be a key
    else:
        assert found is not None
        assert len(found) == 2


@pytest.mark.parametrize("key", [["7"], [7.5], [True], [2**62 + 1], [1, 2]])
def test_a_number_is_a_number_that_the_database_takes(key: list[object]) -> None:
    """No text, no fraction, nothing beyond 64 bits."""
    with pytest.raises(RequestValidationError):
        paging.number_of(paging.told(key), 0)
