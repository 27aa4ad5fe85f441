"""Who serves when versions are broken, changed, of another set, promoted again, or of an older registry."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from events.payloads import ModelPromoted, ModelTrained
from infra.artifact import Artifact
from infra.errors import RejectError, TryAgainError
from tasks import loaded
from tasks.core.cards import POOLED
from tasks.loaded import KEPT, Models
from tasks.serving import PERSISTENCE, Choice
from tests.model_books import Shop, a_model, promoted, trained

JANUARY, FEBRUARY, MARCH, JUNE = (date(2023, month, 1) for month in (1, 2, 3, 6))
VECTOR = ("2", {"RSI": 50.0})


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shop]:
    """Make shops whose files are read by the shop."""

    def make(*payloads: ModelTrained | ModelPromoted) -> Shop:
        made = Shop(*payloads)
        monkeypatch.setattr(loaded, "unpack", made.unpack)
        return made

    return make


def told(choice: Choice) -> list[tuple[str, str]]:
    """Which versions were passed over, under which rule."""
    return [(skip.version, skip.rule) for skip in choice.skipped]


def test_two_broken_versions_in_a_row_leave_the_last_good_one(shop: Callable[..., Shop]) -> None:
    """Each is passed over with its own reason; none of them is predicted by."""
    made = shop(trained("v1", JANUARY), trained("v2", FEBRUARY), trained("v3", MARCH))
    made.spoil("v3")
    del made.kept["v2"]
    choice = made.book().choose(JUNE, *VECTOR)
    assert (choice.version, choice.model is made.kept["v1"].model) == ("v1", True)
    assert told(choice) == [("v3", "model_refused"), ("v2", "model_refused")]
    assert "does not exist" in choice.skipped[1].why


def test_where_every_version_is_broken_persistence_predicts(shop: Callable[..., Shop]) -> None:
    """Nothing is lost."""
    made = shop(trained("v1", JANUARY), trained("v2", FEBRUARY))
    made.kept.clear()
    assert made.book().choose(JUNE, *VECTOR).version == PERSISTENCE


def test_a_file_that_changed_after_it_was_announced_is_found_by_a_new_process(
    shop: Callable[..., Shop],
) -> None:
    """Who has it in memory goes on; who loads it anew refuses it, and the version before goes on."""
    made = shop(trained("v1", JANUARY), trained("v2", FEBRUARY))
    warm = Models(made)  # type: ignore[arg-type]
    assert made.book(warm).choose(JUNE, *VECTOR).version == "v2"
    made.spoil("v2")
    assert made.book(warm).choose(JUNE, *VECTOR).version == "v2"
    assert made.book().choose(JUNE, *VECTOR).version == "v1"


def test_the_topic_and_not_the_registry_says_which_file_it_is(shop: Callable[..., Shop]) -> None:
    """A registry that was begun anew has another v1: what the topic says of the first one is not about it."""
    made = shop(trained("v1", JANUARY, b"first"), trained("v1", MARCH))
    choice = made.book().choose(FEBRUARY, *VECTOR)
    assert told(choice) == [("v1", "model_refused")]
    assert "another model of that name" in choice.skipped[0].why
    assert choice.version == PERSISTENCE
    assert made.book().choose(JUNE, *VECTOR).version == "v1"


@pytest.mark.parametrize("read_before", [True, False])
def test_a_version_that_is_named_again_is_tried_again(
    shop: Callable[..., Shop], *, read_before: bool
) -> None:
    """A refusal holds until then, whatever became of the file, and no process has to be started anew."""
    made = shop(trained("v1", JANUARY), trained("v2", FEBRUARY))
    models: Any = Models(made)  # type: ignore[arg-type]
    made.spoil("v2")
    assert made.book(models).choose(JUNE, *VECTOR).version == "v1"
    made.mend("v2")
    assert made.book(models).choose(JUNE, *VECTOR).version == "v1"
    assert made.book(models).version_for(JUNE) == "v1"
    said = made.say(promoted("v2"))
    book = made.book(models)
    if read_before:
        assert book.check(said.payload, said.place.offset) is None
    assert book.choose(JUNE, *VECTOR).version == "v2"


def test_a_version_that_is_still_broken_is_refused_for_its_new_entry(shop: Callable[..., Shop]) -> None:
    """The alert of the new entry is another one than that of the old."""
    made = shop(trained("v1", JANUARY))
    models: Any = Models(made)  # type: ignore[arg-type]
    made.spoil("v1")
    (first,) = made.book(models).choose(JUNE, *VECTOR).skipped
    made.say(promoted("v1"))
    (second,) = made.book(models).choose(JUNE, *VECTOR).skipped
    assert (first.at, second.at) == (0, 1)
    assert made.loads == ["v1", "v1"]


def test_a_broken_version_is_read_once(shop: Callable[..., Shop]) -> None:
    """However many vectors ask for it."""
    made = shop(trained("v1", JANUARY))
    made.spoil("v1")
    book = made.book()
    assert {book.choose(JUNE, *VECTOR).version for _ in range(5)} == {PERSISTENCE}
    assert made.loads == ["v1"]


def test_a_version_of_another_set_is_passed_over_and_not_even_loaded(shop: Callable[..., Shop]) -> None:
    """The one before it that takes such vectors predicts."""
    made = shop(trained("v1", JANUARY), trained("v2", FEBRUARY, feature_set="3"))
    choice = made.book().choose(JUNE, *VECTOR)
    assert (choice.version, told(choice)) == ("v1", [("v2", "model_fallback")])
    assert choice.skipped[0].why == "it was trained on feature set 3, the vectors are of set 2"
    assert made.loads == ["v1"]


def test_features_that_are_missing_are_named(shop: Callable[..., Shop]) -> None:
    """Three of them, and how many more."""
    made = shop()
    made.say(trained("v1", JANUARY), a_model(features=["a", "b", "RSI", "c", "d"]))
    (skip,) = made.book().choose(JUNE, *VECTOR).skipped
    assert (skip.rule, skip.why) == ("model_fallback", "the vectors lack a, b, c and 1 more")


def test_a_version_that_nobody_trained_is_refused_and_not_in_office(shop: Callable[..., Shop]) -> None:
    """Also where its training is told later: nobody could know what it had seen."""
    made = shop(trained("v1", JANUARY))
    said = made.say(promoted("v2"))
    skip = made.book().check(said.payload, said.place.offset)
    assert skip is not None
    assert "tells what v2 was trained on" in skip.why
    assert made.book().choose(JUNE, *VECTOR).version == "v1"
    made.say(trained("v2", FEBRUARY, promoted=False))
    assert made.book().choose(JUNE, *VECTOR).version == "v1"


def test_persistence_can_be_put_into_office(shop: Callable[..., Shop]) -> None:
    """It has no file that could be wrong, and nobody is passed over."""
    made = shop(trained("v1", JANUARY))
    said = made.say(promoted(PERSISTENCE, MARCH))
    book = made.book()
    assert book.check(said.payload, said.place.offset) is None
    assert book.choose(JUNE, *VECTOR) == Choice(PERSISTENCE)
    assert (book.version_for(JUNE), book.version_for(FEBRUARY)) == (PERSISTENCE, "v1")


def test_a_model_is_found_by_the_name_that_it_has_now(shop: Callable[..., Shop]) -> None:
    """A name that nobody gave is refused."""
    made = shop(trained("v1", JANUARY, b"first"), trained("v1", MARCH))
    assert made.book().model("v1") is made.kept["v1"].model
    with pytest.raises(RejectError, match="no ModelTrained tells of v9"):
        made.book().model("v9")


def test_the_versions_used_last_stay_in_memory(shop: Callable[..., Shop]) -> None:
    """So many and no more: a process that runs for years does not fill its memory with old ones."""
    names = [f"v{number}" for number in range(1, KEPT + 2)]
    made = shop(*(trained(name, JANUARY) for name in names))
    book = made.book()
    for name in [*names[:KEPT], names[0], names[-1], names[0], names[1]]:
        book.model(name)
    assert made.loads == [*names, names[1]]


def test_a_version_that_fails_to_predict_leaves_the_last_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads, and is refused all the same: no vector meets it."""
    made = Shop(trained("v1", JANUARY), trained("v2", FEBRUARY))
    broken: Any = SimpleNamespace(predict=lambda _: np.full(1, np.nan))
    widths = {POOLED: {"80": 1.0, "95": 2.0}}

    def load(data: bytes, _sha256: str) -> Artifact:
        card = replace(a_model().card, quantiles=widths).to_dict()
        sound: Any = SimpleNamespace(predict=lambda values: np.zeros(len(values)))
        return Artifact(broken if data == b"v2" else sound, card)

    monkeypatch.setattr("tasks.models.load", load)
    choice = made.book().choose(JUNE, *VECTOR)
    assert (choice.version, told(choice)) == ("v1", [("v2", "model_refused")])
    assert "can't be used" in choice.skipped[0].why


def test_an_outage_refuses_nothing(shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    """The slice waits; afterwards the version serves."""
    made = shop(trained("v1", JANUARY))
    book = made.book()

    def away(_version: object) -> bytes:
        message = "the store is away"
        raise TryAgainError(message)

    with monkeypatch.context() as patched:
        patched.setattr(made, "fetch", away)
        with pytest.raises(TryAgainError):
            book.choose(JUNE, *VECTOR)
    assert book.choose(JUNE, *VECTOR).version == "v1"


def test_the_challenger_never_stands_in_the_way(shop: Callable[..., Shop]) -> None:
    """It predicts in shadow where it loads and takes the vector; else nobody does."""
    made = shop(trained("v1", JANUARY), trained("v2", FEBRUARY, promoted=False))
    (choice,) = made.book().challenge(JUNE, *VECTOR)
    assert (choice.version, choice.model is made.kept["v2"].model) == ("v2", True)
    assert made.book().challenge(FEBRUARY, *VECTOR) == []
    assert made.book().challenge(JUNE, "3", {"RSI": 1.0}) == []
    made.spoil("v2")
    assert made.book().challenge(JUNE, *VECTOR) == []
    assert shop(trained("v1", JANUARY)).book().challenge(JUNE, *VECTOR) == []


def test_who_waits_is_loaded_beforehand(shop: Callable[..., Shop]) -> None:
    """Both of them, and neither the one that serves nor one that is broken; a slice loads nothing then."""
    waiting = [trained(f"v{n}", date(2023, 2, n), promoted=False) for n in (2, 3, 4)]
    made = shop(trained("v1", JANUARY), *waiting)
    models: Any = Models(made)  # type: ignore[arg-type]
    made.spoil("v4")
    made.book(models).load_shadows()
    assert made.loads == ["v2", "v4"]
    assert [one.version for one in made.book(models).challenge(JUNE, *VECTOR)] == ["v2"]
    assert made.loads == ["v2", "v4"]


def test_a_training_without_a_hash_is_believed_what_the_registry_says(shop: Callable[..., Shop]) -> None:
    """Events of earlier versions did not carry it."""
    made = shop(trained("v1", JANUARY, artifact_sha256=None))
    assert made.book().choose(JUNE, *VECTOR).version == "v1"
