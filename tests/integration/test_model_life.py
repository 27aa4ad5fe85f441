"""On a running stack the loop retrains by itself, for each reason there is, and follows who is promoted.

A simulated market is calm, then turns into another one (`tests/shifted_market.py`). The tests are one story:
each begins where the one before it ended.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from events.payloads import ModelRetrainingTriggered, PredictionMade, ShadowPredicted, SliceCommitted
from tasks.core.triggering import (
    COOL_DOWN,
    DRIFT_FEATURES,
    DRIFT_PREDICTIONS,
    NEW_DATA_POINTS,
    SUSTAINED_ERROR,
    WEEKLY,
)
from tests.conftest import running_stack
from tests.model_story import Story
from tests.shifted_market import Feed, Shift
from tests.stacks import settle

pytestmark = pytest.mark.stack

HISTORY, MORE, SYMBOLS, SEED = 190, 20, 40, 14
"""Sessions of the first training (a third of them tells what usual forecasts are: 60 at least), new ones that
ask for the next, and what trades in them."""
THIN, FALLING, RESTLESS = 5, COOL_DOWN, COOL_DOWN + 4
"""Sessions in which features drift; in which forecasts do as well, until a cool-down is over; in which errors
are what they never were, for another one and some in which people decide."""
PARTS = (
    '["kafka","s3","postgres","prefect","mlflow","deploy","worker",'
    '"forecasting","judging","telling","projectors"]'
)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A stack with the history of a calm market; nobody has asked for anything."""
    calm, folder = HISTORY + MORE, tmp_path_factory.mktemp("market")
    shift = Shift(calm, calm + THIN, calm + THIN + FALLING)
    feed = Feed.of(folder, shift, sessions=shift.restless + RESTLESS, symbols=SYMBOLS, seed=SEED)
    with running_stack(NEPSE_PARTS=PARTS, NEPSE_RETRAIN_AFTER_SESSIONS=str(MORE)) as settings:
        found = Story(settings, feed)
        found.come(HISTORY)
        found.pids = found.running()
        yield found


def test_the_weekly_schedule_retrains(story: Story) -> None:
    """History alone asks for nothing; the run that the schedule planned for Friday does, once it is due."""
    assert (story.asked(), story.trained()) == (Counter(), [])
    assert "asked for a retraining" in story.let_friday_come()
    first = story.await_training(WEEKLY)
    assert (first.model_version, first.training_end) == ("v1", story.sessions()[-1])
    if not first.promoted:  # whichever way the test of promotion ends, the story goes on with v1
        story.command("models", "promote", "v1")


def test_new_sessions_retrain(story: Story) -> None:
    """As many as the setting says; the request says how many they were."""
    newest = story.come(MORE)
    second = story.await_training(NEW_DATA_POINTS)
    asked = story.request(NEW_DATA_POINTS)
    assert (asked.statistic, asked.threshold, asked.data_end_date) == (MORE, MORE, newest)
    assert (second.model_version, second.training_end) == ("v2", newest)


def test_drift_of_features_retrains(story: Story) -> None:
    """Little is traded, in wide ranges: the request says what drifted, of which version's world."""
    serving = story.serving()
    story.come(THIN)
    third = story.await_training(DRIFT_FEATURES)
    asked = story.request(DRIFT_FEATURES)
    assert (asked.model_version, asked.data_end_date) == (serving, third.training_end)
    assert (asked.statistic or 0) >= (asked.threshold or 1)
    assert "drifted over 5 sessions" in (asked.detail or "")


def test_drift_of_predictions_retrains(story: Story) -> None:
    """All prices fall, and forecasts with them: told once a cool-down is over, not before."""
    serving, complained = story.serving(), story.trained()[-1].training_end
    assert complained
    newest = story.come(COOL_DOWN - story.since(complained))
    fourth = story.await_training(DRIFT_PREDICTIONS)
    asked = story.request(DRIFT_PREDICTIONS)
    assert (asked.model_version, asked.data_end_date) == (serving, newest)
    assert fourth.training_end == newest
    assert "drifted over 5 sessions" in (asked.detail or "")


def test_sustained_error_retrains(story: Story) -> None:
    """It goes on: what serves errs more than its record. A session's first error judges those before."""
    serving = story.serving()
    story.come(COOL_DOWN + 1)
    fifth = story.await_training(SUSTAINED_ERROR)
    asked = story.request(SUSTAINED_ERROR)
    assert (asked.model_version, asked.data_end_date) == (serving, fifth.training_end)
    assert (asked.statistic or 0) > (asked.threshold or 1)
    assert "times the" in (asked.detail or "")


def test_every_request_has_trained_once_and_does_not_again(story: Story) -> None:
    """One training answers each; the same requests once more, and the schedule's run, make none."""
    asked, trained = story.said("training", ModelRetrainingTriggered), story.trained()
    reasons = {WEEKLY, NEW_DATA_POINTS, DRIFT_FEATURES, DRIFT_PREDICTIONS, SUSTAINED_ERROR}
    assert set(story.asked()) == {one for training in trained for one in training.reasons} == reasons
    assert sorted(one for training in trained for one in training.triggers) == sorted(e.id for e in asked)
    versions = [one.model_version for one in trained]
    assert versions == [f"v{number}" for number in range(1, len(trained) + 1)]
    story.deliver_again()
    assert "already" in story.let_friday_come()
    settle(story.settings)
    assert [one.model_version for one in story.trained()] == versions
    assert story.running() == story.pids


def test_a_promotion_and_a_rollback_take_effect_between_slices(story: Story) -> None:
    """Each session's vectors are predicted by one version, the next ones by another; nothing is restarted."""
    before, newest = story.serving(), story.sessions()[-1]
    other = next(one.model_version for one in story.trained() if one.model_version != before)
    promoted = story.command("models", "promote", other, "--reason", "a test")
    assert (promoted["version"], promoted["previous"], promoted["published"]) == (other, before, True)
    first = story.come(1)
    back = story.command("models", "rollback", "--reason", "a test")
    assert (back["version"], back["previous"]) == (before, other)
    second = story.come(1)
    assert [story.predicted_from(day) for day in (first, second)] == [{other}, {before}]
    assert str(newest) < promoted["valid_from"] <= str(first) < back["valid_from"] <= str(second)
    assert story.running() == story.pids


def test_no_slice_names_two_versions(story: Story) -> None:
    """Of all that were done, whenever somebody was promoted: the ledger and the predictions agree."""
    made = story.said("predictions", PredictionMade)
    entries = [event.payload for event in story.said("slices", SliceCommitted)]
    slices = [one for one in entries if one.flow == "predict" and one.ranges[0].topic == "features"]
    versions: dict[int, set[str]] = {number: set() for number in range(len(slices))}
    owner = {
        (span.partition, offset): number
        for number, one in enumerate(slices)
        for span in one.ranges
        for offset in range(span.start, span.end)
    }
    for event in made:
        place = event.metadata.causation
        assert place is not None
        versions[owner[place.partition, place.offset]].add(event.payload.model_version)
    assert max(map(len, versions.values())) == 1
    assert len(set().union(*versions.values())) >= 3
    assert all(set(slices[n].model_versions) == found for n, found in versions.items())


def test_who_waits_predicts_in_shadow(story: Story) -> None:
    """The challenger says of the same vectors what it would; nobody is its own shadow."""
    shadows = [event.payload for event in story.said("shadows", ShadowPredicted)]
    served = {
        (one.symbol, one.as_of, one.model_version)
        for one in (event.payload for event in story.said("predictions", PredictionMade))
    }
    said = {(one.symbol, one.as_of, one.model_version) for one in shadows}
    assert not said & served
    assert said
    assert {one[:2] for one in said} <= {one[:2] for one in served}
