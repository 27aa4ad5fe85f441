"""What is asked at each look, or for each page, finds its rows by an index and sorts no table."""

import pytest

from events.topics import TOPICS
from infra.database.reads import letters
from infra.database.tables import metadata

ASKED = [
    ("shadow_predictions", ["model_version", "date"]),  # a version in shadow, session by session
    ("actuals", ["date"]),  # the closes of a session, and the newest of them
    ("dead_letters", ["timestamp"]),  # the letters since a moment, counted at each look
    ("alerts", ["timestamp"]),  # the alerts since a moment, doubted at each look
]


@pytest.mark.parametrize(("name", "wanted"), ASKED)
def test_what_is_asked_for_often_has_an_index(name: str, wanted: list[str]) -> None:
    """Whose first columns are those that the question names."""
    indexes = metadata.tables[name].indexes
    assert wanted in [[column.name for column in one.columns][: len(wanted)] for one in indexes]


def test_letters_are_listed_along_their_key() -> None:
    """(partition, offset) gives the newest first only where the partition is said."""
    assert "l.partition = 0" in letters._LISTED
    assert not TOPICS["dead-letters"].spread
