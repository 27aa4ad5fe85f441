"""A version that could not predict is told once a week, by the record that showed it first."""

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from events.payloads import AlertRaised, FeaturesComputed
from infra.database import state
from infra.kafka.records import Place, Received, Run
from tasks import loaded
from tasks.core.features import FEATURE_SET
from tasks.fallbacks import tell_of_choices, tell_of_models
from tasks.loaded import Models
from tasks.serving import FALLBACK, REFUSED, Choice, Skip
from tests.model_books import Shop, promoted, received, trained

DAY = date(2024, 3, 3)
BROKEN = Skip("v2", 7, REFUSED, "it is gone")
UNFIT = Skip("v2", 7, FALLBACK, "the vectors lack RSI")


class Slice:
    """A slice that keeps what is published: rule, cause and message."""

    run = Run("predict", "run")

    def __init__(self) -> None:
        """Nothing is published yet."""
        self.told: list[tuple[str, str, str]] = []

    def publish(self, topic: str, payload: AlertRaised, cause: Received[Any], _subject: str) -> None:
        """Keep an alert."""
        assert topic == "alerts"
        self.told.append((payload.rule, str(cause.place), payload.message))


class Claims:
    """What was claimed, in memory."""

    def __init__(self) -> None:
        """Nothing is claimed yet."""
        self.owners: dict[str, tuple[Any, ...]] = {}

    def claimant(self, _where: object, name: str, place: tuple[Any, ...] | None = None) -> Any:
        """Claim and look, as `state.claimant`."""
        if place is not None:
            self.owners.setdefault(name, place)
        return self.owners.get(name)


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> Claims:
    """The database's claims."""
    made = Claims()
    monkeypatch.setattr(state, "claimant", made.claimant)
    return made


def vectors(
    *offsets: int, partition: int = 0, feature_set: str | None = FEATURE_SET, day: date = DAY
) -> list[Any]:
    """Vectors of one partition."""
    payload = FeaturesComputed(symbol="A", date=day, features={}, feature_set=feature_set)
    return [received(payload, Place("features", partition, offset)) for offset in offsets]


def tell(
    showing: list[Received[Any]], *skips: Skip, version: str = "v1", rehearsed: bool = False
) -> list[tuple[str, str, str]]:
    """Take the step of a slice in which all vectors pass versions over; returns its alerts."""
    work, loop = Slice(), SimpleNamespace(database=None, rehearses=lambda _topic: rehearsed)
    choice = Choice(version, None, skips)
    tell_of_choices(loop, work, ((one, choice) for one in showing))  # type: ignore[arg-type]
    return work.told


def test_it_is_told_by_the_first_vector_and_not_again_that_week(claims: Claims) -> None:
    """Neither for the others of the slice nor in later ones, nor by other partitions."""
    assert claims.owners == {}
    message = "v2 does not serve, v1 predicts instead: it is gone"
    assert tell(vectors(3, 4), BROKEN) == [(REFUSED, "features-0@3", message)]
    assert tell(vectors(5, 6), BROKEN) == []
    assert tell(vectors(3, partition=1), BROKEN) == []


def test_what_comes_again_in_another_week_is_told_again(claims: Claims) -> None:
    """Once a week of sessions, from Monday on; a slice of several weeks tells the newest of them."""
    weeks = [vectors(n, day=DAY + timedelta(days=n)) for n in range(16)]
    told = [place for one in weeks for _, place, _ in tell(one, BROKEN)]
    assert told == ["features-0@0", "features-0@1", "features-0@8", "features-0@15"]
    whole = [one for week in weeks for one in week]
    assert tell([*whole, *vectors(16, 17, day=DAY + timedelta(days=16))], BROKEN) == tell(weeks[15], BROKEN)
    assert len(claims.owners) == 4


def test_a_retry_tells_it_again_also_with_other_boundaries(claims: Claims) -> None:
    """What a failed attempt claimed it did not publish."""
    first = tell(vectors(3, 4), BROKEN)
    assert len(claims.owners) == 1
    assert tell(vectors(2, 3), BROKEN) == first
    assert tell(vectors(4), BROKEN) == []


def test_a_rehearsal_makes_what_was_made_and_claims_nothing(claims: Claims) -> None:
    """Where nobody had told it, the difference is shown."""
    assert tell(vectors(3), BROKEN, rehearsed=True) != []
    assert claims.owners == {}
    tell(vectors(3), BROKEN)
    assert tell(vectors(3, 4), BROKEN, rehearsed=True) != []
    assert tell(vectors(4), BROKEN, rehearsed=True) == []


def test_a_version_named_again_is_told_again(claims: Claims) -> None:
    """It was tried again."""
    tell(vectors(3), BROKEN)
    again = Skip("v2", 9, REFUSED, "it is gone")
    assert [place for _, place, _ in tell(vectors(4), again)] == ["features-0@4"]
    assert len(claims.owners) == 2


def test_two_broken_versions_are_two_alerts_and_an_older_set_is_told_of_the_newest_only(
    claims: Claims,
) -> None:
    """Of fifty versions of an older set nobody wants to read one by one."""
    older = [Skip(f"v{n}", n, FALLBACK, "set") for n in (6, 5, 4)]
    assert [rule for rule, _, _ in tell(vectors(3), BROKEN, Skip("v1", 1, REFUSED, "x"))] == [REFUSED] * 2
    told = tell(vectors(4), Skip("v7", 8, FALLBACK, "set"), *older, version="v0")
    assert told == [(FALLBACK, "features-0@4", "v7 does not serve, v0 predicts instead: set")]
    assert len(claims.owners) == 3


@pytest.mark.parametrize(("feature_set", "alerts"), [(FEATURE_SET, 1), (None, 0), ("elsewhere", 0)])
def test_a_vector_of_somebody_else_says_nothing_about_the_version(
    claims: Claims, feature_set: str | None, alerts: int
) -> None:
    """What does not fit is the vector; a version that can't be used at all is told all the same."""
    assert len(tell(vectors(3, feature_set=feature_set), UNFIT)) == alerts
    assert len(tell(vectors(4, feature_set=feature_set), BROKEN)) == 1
    assert len(claims.owners) == alerts + 1


def test_the_announcement_and_the_first_use_are_one_alert(
    claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever comes first in a week of sessions; a promotion is looked at like a training."""
    shop = Shop(trained("v1", date(2024, 1, 1)), trained("v2", DAY - timedelta(days=3)), promoted("v9"))
    monkeypatch.setattr(loaded, "unpack", shop.unpack)
    shop.spoil("v2")
    loop: Any = SimpleNamespace(database=None, rehearses=lambda _topic: False)
    book, work = shop.book(Models(shop)), Slice()  # type: ignore[arg-type]
    tell_of_models(loop, work, book, shop.entries)  # type: ignore[arg-type]
    assert [place for _, place, _ in work.told] == ["models-0@1", "models-0@2"]
    assert "the version before it goes on" in work.told[0][2]
    skipped = book.choose(DAY, "2", {"RSI": 1.0}).skipped
    assert tell(vectors(3), *skipped) == []
    assert len(claims.owners) == 2
    assert len(tell(vectors(4, day=DAY + timedelta(days=1)), *skipped)) == 1
