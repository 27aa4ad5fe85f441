"""What a stack said of trainings, as the tests of a model's life read it."""

from datetime import date
from typing import Any

import pytest

from events.envelope import Event, Metadata
from events.payloads import ModelTrained
from tests.model_books import trained
from tests.model_story import Story
from tests.topic_in_memory import NOON

FIRST = trained("v1", date(2024, 1, 1), reasons=["weekly_schedule"])
AGAIN = FIRST.model_copy(update={"promoted": False, "reasons": ["drift_features"]})
SECOND = trained("v2", date(2024, 2, 1), reasons=["drift_features", "new_data_points"])


def story(monkeypatch: pytest.MonkeyPatch, *said: ModelTrained, known: int = 0) -> Story:
    """A stack that said so much, of which some trainings were told of."""
    nothing: Any = None
    made = Story(nothing, nothing, known=known)
    events = [Event(NOON, "test", one, Metadata(str(n), "chain")) for n, one in enumerate(said)]
    monkeypatch.setattr(made, "said", lambda *_: events)
    return made


def test_what_is_said_of_a_training_once_more_is_no_second_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers a later request by the training that there was."""
    found = story(monkeypatch, FIRST, AGAIN, SECOND)
    assert found.trained() == [FIRST, SECOND]
    assert found._answers("weekly_schedule") == [FIRST]
    assert found._answers("drift_features") == [FIRST, SECOND]


def test_only_new_trainings_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those after the ones that the story has told of."""
    found = story(monkeypatch, FIRST, SECOND, known=1)
    assert found._answers("weekly_schedule") == []
    assert found._answers("new_data_points") == [SECOND]
