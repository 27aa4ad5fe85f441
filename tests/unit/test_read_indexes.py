"""What is asked at each look, or for each page, finds its rows by an index and sorts no table."""

import pytest

from infra.database.letters_standing import letters_standing
from infra.database.tables import metadata

ASKED = [
    ("shadow_predictions", ["model_version", "date"]),  # a version in shadow, session by session
    ("actuals", ["date"]),  # the closes of a session, and the newest of them
    ("dead_letters", ["timestamp"]),  # the letters since a moment, counted at each look
    ("alerts", ["timestamp"]),  # the alerts since a moment, doubted at each look
    (letters_standing.name, ["resolved", "offset"]),  # a page of open letters, and how many there are
    (letters_standing.name, ["flow", "offset"]),  # a page of a flow's letters
]


@pytest.mark.parametrize(("name", "wanted"), ASKED)
def test_what_is_asked_for_often_has_an_index(name: str, wanted: list[str]) -> None:
    """Whose first columns are those that the question names."""
    indexes = metadata.tables[name].indexes
    assert wanted in [[column.name for column in one.columns][: len(wanted)] for one in indexes]
