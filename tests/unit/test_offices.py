"""Terms in office, by session: promotions, rollbacks, backfills, challengers."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.payloads import ModelPromoted, ModelTrained, Payload
from tasks.core.offices import PERSISTENCE, Offices
from tests.model_books import promoted, trained

FIRST = date(2023, 1, 1)


def day(number: int) -> date:
    """The session of a number."""
    return FIRST + timedelta(number)


def offices(*payloads: Payload) -> Offices:
    """Terms as these entries tell them."""
    return Offices(enumerate(payloads))


def serves(found: Offices, target: int) -> str:
    """Who serves a session."""
    return next(found.serving(day(target))).version


ROLLED_BACK = (trained("v1", day(10)), trained("v2", day(20)), promoted("v1", day(30), "it erred"))
LEFT = (trained("v2", day(20)), promoted("v0.9", day(30), "v2 erred"))


@pytest.mark.parametrize(
    ("target", "version"),
    [(10, PERSISTENCE), (11, "v1"), (20, "v1"), (21, "v2"), (29, "v2"), (30, "v1"), (90, "v1")],
)
def test_a_backfill_finds_the_version_that_was_valid_then(target: int, version: str) -> None:
    """Also after a rollback: it counts from its first session on, and not backwards."""
    assert serves(offices(*ROLLED_BACK), target) == version


def test_after_a_rollback_the_next_training_serves_again() -> None:
    """From its own data's end on; the days between stay who they were."""
    found = offices(*ROLLED_BACK, trained("v3", day(40)))
    assert [serves(found, n) for n in (25, 35, 40, 41)] == ["v2", "v1", "v1", "v3"]
    assert found.champion.version == "v3"


def test_versions_in_office_are_listed_once_newest_first_and_persistence_last() -> None:
    """So that whoever can't use one takes the next."""
    found = offices(*ROLLED_BACK, promoted("v2", day(50)))
    assert [term.version for term in found.serving(day(60))] == ["v2", "v1", PERSISTENCE]


def test_persistence_in_office_ends_the_list() -> None:
    """Nobody who served before it comes after it."""
    found = offices(*ROLLED_BACK, promoted(PERSISTENCE, day(50)))
    assert [term.version for term in found.serving(day(60))] == [PERSISTENCE]
    assert serves(found, 49) == "v1"


@pytest.mark.parametrize(
    ("names", "before"),
    [
        ("", None),
        ("1", None),
        ("12", "v1"),
        ("123", "v2"),
        ("1232", "v1"),  # one rollback, then another
        ("12321", None),
        ("1213", "v1"),  # rolled back from v2, then a new one
        ("1231", "v3"),  # put back by hand over two: to undo that is to go to v3
        ("122", "v1"),  # told twice
        ("10", "v1"),  # persistence by hand
    ],
)
def test_a_rollback_goes_to_who_served_before(names: str, before: str | None) -> None:
    """Never back to the version that was rolled back from."""
    events: list[Payload] = [trained(f"v{n}", day(n), promoted=False) for n in (1, 2, 3)]
    found = offices(*events, *(promoted(f"v{n}") for n in names)).before()
    assert (found.version if found else None) == before


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([trained("v1", day(10))], None),
        ([trained("v1", day(10), promoted=False)], "v1"),
        ([trained("v1", day(10)), trained("v2", day(20), promoted=False)], "v2"),
        ([trained("v1", day(10), promoted=False), trained("v2", day(20))], None),
        ([trained("v1", day(10)), *(trained(f"v{n}", day(n * 10), promoted=False) for n in (2, 3))], "v2"),
        ([trained("v1", day(10)), trained("v2", None, promoted=False)], None),
        ([*ROLLED_BACK], "v2"),
        ([trained("v0.9", day(5)), trained("v1", day(10), promoted=False), *LEFT], "v1"),
        ([*ROLLED_BACK, promoted(PERSISTENCE)], "v1"),
    ],
)
def test_the_challenger_is_trained_after_who_serves(
    events: list[ModelTrained | ModelPromoted], expected: str | None
) -> None:
    """Of those whose window is known; after a rollback the version that was left, or one before it."""
    found = offices(*events).challenger()
    assert (found.version if found else None) == expected


def test_a_challenger_is_judged_before_the_next_ones_turn_comes() -> None:
    """Trained anew each week, it stays for a month of sessions; the newest predicts beside it."""
    weekly = [trained(f"v{n}", day(7 * n), promoted=False) for n in range(2, 16)]
    shadows = [
        [one.version for one in offices(trained("v1", day(7)), *weekly[:count]).in_shadow()]
        for count in range(1, len(weekly) + 1)
    ]
    assert [one[0] for one in shadows] == ["v2"] * 7 + ["v9"] * 7
    assert [one[-1] for one in shadows] == [f"v{n}" for n in range(2, 16)]
    assert (shadows[0], shadows[7]) == (["v2"], ["v9"])


def test_after_a_rollback_the_version_that_was_left_is_in_shadow_while_it_is_the_newest() -> None:
    """Beside the one that was trained between it and the one that serves again; then it waits its turn."""
    told = (trained("v0.9", day(5)), trained("v1", day(10), promoted=False), *LEFT)
    assert [one.version for one in offices(*told).in_shadow()] == ["v1", "v2"]
    later = offices(*told, trained("v3", day(27), promoted=False))
    assert [one.version for one in later.in_shadow()] == ["v1", "v3"]


def test_who_takes_office_is_judged_no_more() -> None:
    """The turn begins anew with the first training after the one that serves now."""
    events = [trained("v1", day(7)), *(trained(f"v{n}", day(7 * n), promoted=False) for n in (2, 3, 4))]
    found = offices(*events, promoted("v3"))
    assert [one.version for one in found.in_shadow()] == ["v4"]


def test_what_is_said_once_more_changes_nothing() -> None:
    """A training that answers a later request was promoted when it was told first, and is no newer one."""
    first, second = trained("v1", day(10)), trained("v2", day(20), promoted=False)
    once = offices(first, second)
    again = offices(first, second, first.model_copy(update={"promoted": False, "why": "not trained again"}))
    assert again.terms == once.terms
    assert again.trainings == once.trainings
    assert [one.version for one in again.in_shadow()] == ["v2"]


def test_two_trainings_of_one_name_are_two() -> None:
    """A registry that was begun anew numbers from v1 again."""
    found = offices(trained("v1", day(10), b"first"), trained("v1", day(20), b"second"))
    keys = [term.named.key for term in found.serving(day(30)) if term.named]
    assert len(set(keys)) == len(keys) == 2
    newest = found.newest("v1")
    assert newest is not None
    assert newest.trained.training_end == day(20)
    assert found.newest("v2") is None


def _trains(version: str, until: int, seen: int | None) -> tuple[Payload, Payload]:
    """What a training says that serves, and up to where it had read."""
    return (
        trained(version, day(until), models_seen=seen),
        promoted(version).model_copy(update={"models_seen": seen}),
    )


@pytest.mark.parametrize(("seen", "champion"), [(1, "v1"), (2, "v3"), (None, "v3")])
def test_a_training_does_not_put_out_of_office_whom_a_person_chose_meanwhile(
    seen: int | None, champion: str
) -> None:
    """However close to its commit: what it knew is told, and so every reader decides alike."""
    found = offices(trained("v1", day(10)), promoted("v1", day(30)), *_trains("v3", 20, seen))
    assert found.champion.version == champion
    assert [serves(found, n) for n in (15, 25)] == ["v1", "v1" if champion == "v1" else "v3"]
    challenger = found.challenger()
    assert (challenger.version if challenger else None) == ("v3" if champion == "v1" else None)


def test_of_a_training_that_was_overruled_nothing_is_left_in_a_rollback() -> None:
    """It never served; a person puts it into office by its name."""
    told = (trained("v1", day(10)), trained("v2", day(15)), promoted("v2"), *_trains("v3", 20, 2))
    before = offices(*told).before()
    assert before is not None
    assert before.version == "v1"
    assert offices(*told, promoted("v3")).champion.version == "v3"


def test_trainings_are_no_persons_to_each_other() -> None:
    """Two that began at one moment: the later one is the newer version."""
    assert offices(*_trains("v1", 10, 0), *_trains("v2", 20, 0)).champion.version == "v2"


def test_an_entry_means_the_newest_training_before_it() -> None:
    """And one that came later is not meant; each knows where it was named last."""
    found = offices(promoted("v1"), trained("v1", day(10)), promoted("v1"))
    assert found.named_at(0) is None
    assert [(n.version, n.at) for n in (found.named_at(1), found.named_at(2)) if n] == [("v1", 2), ("v1", 2)]
    assert [term.version for term in found.terms] == ["v1", "v1"]


EVENTS = st.lists(
    st.one_of(
        st.builds(
            lambda n, until, serves: trained(f"v{n}", day(until), promoted=serves),
            st.integers(1, 4),
            st.integers(0, 40),
            st.booleans(),
        ),
        st.builds(
            lambda n, since: promoted(f"v{n}", None if since is None else day(since)),
            st.integers(0, 5),
            st.none() | st.integers(0, 40),
        ),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(EVENTS, st.integers(0, 45))
def test_nobody_predicts_what_it_has_seen(events: list[Payload], target: int) -> None:
    """Whatever was trained, promoted and rolled back; the last word is persistence's."""
    found = offices(*events)
    listed = list(found.serving(day(target)))
    assert listed[-1].version == PERSISTENCE
    for term in listed:
        assert term.named is None or not term.named.knows(day(target))
        assert term.valid_from is None or term.valid_from <= day(target)
    challenger, office = found.challenger(), found.champion.named
    assert challenger is None or office is None or challenger.key != office.key


@settings(deadline=None)
@given(EVENTS, EVENTS, st.integers(0, 45))
def test_what_comes_later_for_later_sessions_changes_no_earlier_one(
    events: list[Payload], more: list[Payload], target: int
) -> None:
    """Promotions that count from a later session on leave a backfill as it was."""
    later = [
        p.model_copy(update={"valid_from": day(target + 1)}) for p in more if isinstance(p, ModelPromoted)
    ]
    before, after = offices(*events), offices(*events, *later)
    assert [t.version for t in before.serving(day(target))] == [t.version for t in after.serving(day(target))]
