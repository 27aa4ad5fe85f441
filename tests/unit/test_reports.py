"""What a run tells about its slices."""

from typing import Any

import pytest

from events.payloads import OffsetRange
from infra.kafka.records import Outgoing
from infra.settings import Settings
from tasks import reports
from tasks.reports import MOST_LINKS, Done, links, progress_artifact, summary, told
from tests.traced import Traced, predicted, slice_of


def _done(partition: int, counts: dict[str, int], message: str = "") -> Done:
    return Done(
        [OffsetRange(topic="features", partition=partition, start=3, end=5)], counts, 0.5, message, "extra"
    )


def test_a_run_is_told_in_one_line() -> None:
    """Counts of all slices are added up, what is zero or said twice is left out."""
    done = [_done(0, {"in": 2, "out": 2, "rejected": 0}, "by v1"), _done(1, {"in": 1, "out": 1}, "by v1")]
    assert told(done) == "by v1 (3 read, 3 published)"
    assert told([_done(0, {"in": 1})]) == "1 read"


def test_the_artifact_has_a_row_for_each_slice() -> None:
    """Every slice shows its range, its counts under one head, and its delay; extras come once."""
    text = summary("predict", [_done(0, {"in": 2, "out": 2}), _done(1, {"in": 1, "rejected": 1})])
    assert "| features-0 [3, 5) | 2 | 2 | 0 | 0.500 |" in text
    assert "| features-1 [3, 5) | 1 | 0 | 1 | 0.500 |" in text
    assert text.count("extra") == 1


def test_progress_goes_from_nothing_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """In percent, with a sentence; where there is nothing to do that is all of it."""
    shown: list[Any] = []
    monkeypatch.setattr(
        reports, "create_progress_artifact", lambda part, key: shown.append((key, part)) or "its id"
    )
    monkeypatch.setattr(
        reports,
        "update_progress_artifact",
        lambda artifact, part, description: shown.append((artifact, part, description)),
    )
    with progress_artifact("backfill") as show:
        show(1, 4, "up to 2024-01-01")
        show(4, 4, "up to 2024-01-04")
        show(0, 0, "none")
    assert shown == [
        ("backfill-progress", 0.0),
        ("its id", 25.0, "1 of 4 sessions, up to 2024-01-01"),
        ("its id", 100.0, "4 of 4 sessions, up to 2024-01-04"),
        ("its id", 100.0, "0 of 0 sessions, none"),
    ]


def test_a_run_links_to_our_pages() -> None:
    """Of the versions that it used, but for persistence, and of the shares that it says something of."""
    work = predicted(slice_of(Traced(), Traced()))
    found = links(Settings(), work, ["v0", "v3"])
    assert found == (
        "[v3](http://127.0.0.1:8000/model/v3)",
        "[NICA](http://127.0.0.1:8000/symbol/NICA)",
    )
    done = Done([], {}, links=found)
    assert f"On our page: {', '.join(found)}" in summary("predict", [done, done])
    assert "On our page" not in summary("predict", [Done([], {})])


def test_links_are_few_and_names_stay_text() -> None:
    """A share is named by whoever published its events."""
    work = slice_of()
    work.outgoing = [
        Outgoing("features", key, b"") for key in (b"a](http://x) <b>\n#", b"NICAD 85/86", b"\xff")
    ]
    work.outgoing += [Outgoing("slices", b"predict", b""), Outgoing("features", None, b"")]
    assert [one.rsplit("/", 1)[1] for one in links(Settings(), work, [])] == [
        "a%5D%28http%3A%2F%2Fx%29%20%3Cb%3E%0A%23)",
        "NICAD%2085%2F86)",
        "%EF%BF%BD)",
    ]
    assert links(Settings(), work, [])[0].startswith(
        r"[a\]\(http://x\) \<b\> \#](http://127.0.0.1:8000/symbol/a%5D"
    )
    work.outgoing = [Outgoing("features", str(n).encode(), b"") for n in range(90)]
    assert len(links(Settings(), work, [])) == MOST_LINKS
