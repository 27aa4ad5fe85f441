"""The landing place: what is worth reading, what a look at it says, and when it is looked at."""

import os
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.payloads import DataIngested
from flows import ingest
from infra.bootstrap import Loop
from infra.errors import RejectError, UsageError
from infra.inputs import list_files, read_listed
from infra.settings import load_settings
from infra.stack import probes
from infra.stack.schedules import LANDING, watch_landing
from infra.wiring import deployments
from tasks import landing as landings
from tasks.core.calendar import EXCHANGE_TZ, learned
from tasks.core.landing import LOOK_BACK, Offer, chosen, missing_session
from tasks.reading import Line, read_sessions

THURSDAY, SUNDAY = date(2024, 3, 7), date(2024, 3, 10)
NOW = datetime.combine(SUNDAY, time(16, 30), EXCHANGE_TZ)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def offer(file: str, modified: datetime | None = None) -> Offer:
    """A file of the landing place."""
    return Offer(f"landing/{file}", file, modified)


OFFERS = st.builds(
    offer,
    st.dates(date(2023, 1, 1), date(2025, 1, 1)).map(lambda day: f"{day:%Y_%m_%d}.csv"),
    st.none() | st.integers(-500, 0).map(lambda days: NOW + days * DAY),
)


@pytest.mark.parametrize("modified", [None, NOW - 400 * DAY, NOW])
def test_everything_is_new_at_first(modified: datetime | None) -> None:
    """A landing place may begin with years of files."""
    offers = [offer("2011_06_15.csv", modified), offer("history.parquet", modified)]
    assert chosen(offers, {}, None, NOW) == offers


@pytest.mark.parametrize(
    ("file", "modified", "worth"),
    [
        ("2024_03_10.csv", None, True),
        ("2024_03_06.csv", NOW - 300 * DAY, True),  # the session may be missing, or this file its repeat
        ("2023_11_01.csv", None, False),
        ("2023_11_01.csv", NOW - 100 * DAY, False),
        ("2023_11_01.csv", NOW - HOUR, True),  # a gap that is filled at last
        ("export.csv", None, True),
        ("export.csv", NOW - 100 * DAY, False),
        ("export.csv", NOW - HOUR, True),
    ],
)
def test_what_was_never_announced_is_read_while_it_is_recent(
    file: str, modified: datetime | None, worth: bool
) -> None:
    """By the day that it is named for, or by the time of its last change."""
    assert bool(chosen([offer(file, modified)], {}, THURSDAY, NOW)) is worth


@pytest.mark.parametrize(
    ("modified", "worth"), [(None, False), (NOW - 2 * HOUR, False), (NOW - HOUR, True), (NOW, True)]
)
def test_what_was_announced_is_read_again_once_it_changed(modified: datetime | None, worth: bool) -> None:
    """A fuller file under the same name becomes a revision; one that is as it was is left alone."""
    announced = {"2024_03_07.csv": NOW - HOUR}
    assert bool(chosen([offer("2024_03_07.csv", modified)], announced, THURSDAY, NOW)) is worth


@pytest.mark.parametrize(("since", "worth"), [(timedelta(0), True), (2 * DAY, True), (9 * DAY, False)])
def test_what_changed_while_it_was_read_is_read_again(since: timedelta, worth: bool) -> None:
    """Half a file was read, it was completed a second before the half was announced; not for ever, though."""
    announced = {"2024_03_07.csv": NOW - since}
    late = offer("2024_03_07.csv", NOW - since - timedelta(seconds=1))
    assert bool(chosen([late], announced, THURSDAY, NOW)) is worth


def test_a_session_dated_into_the_future_hides_nothing() -> None:
    """Files are recent by today's date at the latest."""
    assert chosen([offer("2024_03_10.csv")], {}, date(2030, 1, 1), NOW)


@given(st.lists(OFFERS, max_size=20), st.dates(date(2023, 1, 1), date(2025, 1, 1)))
def test_nothing_recent_is_passed_over(offers: list[Offer], newest: date) -> None:
    """Whatever was never announced and is named for a day since the newest session is read, in its order."""
    found = chosen(offers, {}, newest, NOW)
    assert found == [one for one in offers if one in found]
    since = f"{min(newest, SUNDAY) - LOOK_BACK:%Y_%m_%d}.csv"
    assert all(one in found for one in offers if one.file >= since)


@pytest.mark.parametrize(
    ("now", "held", "missing"),
    [
        (datetime(2024, 3, 10, 16, 59, tzinfo=EXCHANGE_TZ), [THURSDAY], None),
        (datetime(2024, 3, 10, 17, 0, tzinfo=EXCHANGE_TZ), [THURSDAY], SUNDAY),
        (datetime(2024, 3, 10, 11, 15, tzinfo=UTC), [THURSDAY], SUNDAY),
        (datetime(2024, 3, 10, 18, 0, tzinfo=EXCHANGE_TZ), [THURSDAY, SUNDAY], None),
        (datetime(2024, 3, 8, 18, 0, tzinfo=EXCHANGE_TZ), [THURSDAY], None),  # a Friday
        (datetime(2020, 4, 1, 18, 0, tzinfo=EXCHANGE_TZ), [], None),  # closed for the pandemic
    ],
)
def test_a_session_that_is_late_is_missing(now: datetime, held: list[date], missing: date | None) -> None:
    """From 17:00 in Kathmandu, on a trading day that nothing was announced for."""
    assert missing_session(learned(held), now) == missing


class FakeTopic:
    """Raw-data with one session, announced a while ago."""

    def refresh(self) -> int:
        """Tell the end."""
        return 1

    def between(self, start: int, end: int) -> list[Any]:
        """List the session's event."""
        said = DataIngested(
            symbol="NEPSE", date=THURSDAY, data_location="s3://raw/1", source="2024_03_07.csv"
        )
        event = SimpleNamespace(timestamp=datetime.now(UTC) - HOUR)
        place = SimpleNamespace(offset=0)
        return [SimpleNamespace(id="0", payload=said, event=event, place=place)][start:end]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A landing folder: one file that was announced, one since changed, one new, and old ones."""
    folder = tmp_path / "landing"
    (folder / "older").mkdir(parents=True)
    for file, age in {
        "2024_03_07.csv": 2,
        "2024_03_10.csv": 0,
        "older/2023_01_01.csv": 24 * 100,
        "manifest.csv": 0,
        "notes.txt": 0,
    }.items():
        (folder / file).write_text(file)
        then = datetime.now().timestamp() - age * 3_600  # noqa: DTZ005
        os.utime(folder / file, (then, then))
    return folder


def loop_of(tmp_path: Path, landing: str | None) -> Loop:
    """The adapters of a process that has read the topic."""
    loop = Loop(load_settings(tmp_path, landing=landing))
    loop.keep("raw-data", FakeTopic)
    return loop


def test_a_look_reads_what_is_new(folder: Path, tmp_path: Path) -> None:
    """What was announced, is old, or no price file stays unread; what changed is read again."""
    found = landings.look.fn(loop_of(tmp_path, str(folder)))
    assert (found.listed, [file.name for file in found.files]) == (3, ["2024_03_10.csv"])
    assert found.files[0].content == b"2024_03_10.csv"
    os.utime(folder / "2024_03_07.csv")
    again = landings.look.fn(loop_of(tmp_path, str(folder)))
    assert [file.name for file in again.files] == ["2024_03_07.csv", "2024_03_10.csv"]


def test_an_empty_place_is_no_failure_and_a_missing_one_is(folder: Path, tmp_path: Path) -> None:
    """Nothing may have landed yet; a place that is not there is a mistake, and so is none at all."""
    (tmp_path / "empty").mkdir()
    assert landings.look.fn(loop_of(tmp_path, str(tmp_path / "empty"))).listed == 0
    with pytest.raises(RejectError, match="there is no such file"):
        landings.look.fn(loop_of(tmp_path, str(folder / "nowhere")))
    with pytest.raises(UsageError, match="NEPSE_LANDING"):
        landings.look.fn(loop_of(tmp_path, None))


def test_a_file_that_vanishes_spoils_no_other(folder: Path, tmp_path: Path) -> None:
    """Whoever moves files about while they are listed hears of it."""
    settings = load_settings(tmp_path)
    listed = list_files(settings, str(folder))
    (folder / "2024_03_07.csv").unlink()
    read, unreadable = read_listed(settings, str(folder), listed)
    assert [file.name for file in read] == ["2024_03_10.csv", "2023_01_01.csv"]
    assert [one.place for one in unreadable] == ["2024_03_07.csv"]


def test_what_a_look_brought_is_one_line(folder: Path, tmp_path: Path) -> None:
    """Counts, sessions, the first refusal, and that today's session is missing."""
    loop = loop_of(tmp_path, str(folder))
    found = landings.look.fn(loop)
    lines = [
        Line("2024_03_07.csv", "2024-03-07", 3, events=4),
        Line("2024_03_08.csv", "2024-03-07", note="repeat of 2024-03-07, skipped"),
        Line("y.csv", None, note="its session can't be told: put aside"),
        Line("x.csv", None, note="refused: x.csv names no date"),
        Line("s3://raw/2024-03-06.parquet", "2024-03-06", events=4, note="retracted: repeat"),
    ]
    late = datetime(2024, 3, 10, 17, 30, tzinfo=EXCHANGE_TZ)
    assert landings.outcome(loop, found, lines, late) == (
        "3 files lie there, 1 read; 1 announced; 1 retracted; 1 skipped; 1 put aside; 1 refused;"
        " session 2024-03-07; its session can't be told: put aside;"
        " NO SESSION OF 2024-03-10 YET: it is late, or the day is a holiday"
    )
    early = datetime(2024, 3, 10, 15, 30, tzinfo=EXCHANGE_TZ)
    assert landings.outcome(loop, found, [], early) == "3 files lie there, 1 read"


def test_a_run_without_paths_ingests_what_landed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends as completed, with the lines as its result and the look in its message; a refusal is no end."""
    shown: list[Any] = []
    monkeypatch.setattr(ingest, "connect", lambda: loop_of(tmp_path, str(folder)))
    monkeypatch.setattr(ingest, "look", landings.look.fn)
    monkeypatch.setattr(ingest, "read_sessions", read_sessions.fn)
    monkeypatch.setattr(ingest, "create_table_artifact", lambda **told: shown.append(told))
    ended: Any = ingest.ingest.fn()
    assert (ended.type.value, [line["file"] for line in ended.data]) == ("COMPLETED", ["2024_03_10.csv"])
    assert "3 files lie there, 1 read; 1 refused; refused: 2024_03_10.csv" in ended.message
    assert shown[0]["table"] == ended.data
    for file in folder.glob("*.csv"):
        file.unlink()
    assert ingest.ingest.fn().data == []
    assert len(shown) == 1


def test_it_is_looked_at_from_the_close_on() -> None:
    """Every ten minutes from 15:30 to 19:00 in Kathmandu, never on Saturdays; off until it is asked for."""
    schedules = next(one for one in deployments() if one["name"] == "ingest")["schedules"]
    assert all(one["slug"].startswith(LANDING) and one["active"] is False for one in schedules)
    assert {one["timezone"] for one in schedules} == {str(EXCHANGE_TZ)}
    times = sorted(at for one in schedules for at in _times(one["cron"]))
    assert times == [
        f"{minutes // 60}:{minutes % 60:02d}" for minutes in range(15 * 60 + 30, 19 * 60 + 1, 10)
    ]


def _times(cron: str) -> list[str]:
    """Spell out the forms of cron that are used here."""
    minutes, hours, *_, days = cron.split()
    assert days == "0-5"
    first, last, step = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", minutes).groups()  # type: ignore[union-attr]
    some = range(int(first or 0), int(last or (first or 59)) + 1, int(step or 1))
    begin, _, end = hours.partition("-")
    return [f"{hour}:{minute:02d}" for hour in range(int(begin), int(end or begin) + 1) for minute in some]


@pytest.mark.parametrize(
    ("landing", "active", "changed"),
    [("s3://landing", False, True), ("s3://landing", True, None), (None, True, False), (None, False, None)],
)
def test_the_schedules_are_on_where_a_place_is_set(
    landing: str | None,
    active: bool,
    changed: bool | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only these, and only where they are not as they should be."""
    sent: list[tuple[str, Any, str]] = []

    def server(url: str, body: Any = None, method: str = "GET") -> Any:
        if method == "GET":
            assert url == "http://prefect/api/deployments/name/ingest/ingest"
            schedules = [("1", "landing-close"), ("2", "weekly"), ("3", None)]
            return {
                "id": "7",
                "schedules": [{"id": n, "slug": slug, "active": active} for n, slug in schedules],
            }
        sent.append((url, body, method))
        return None

    monkeypatch.setattr(probes, "get_json", server)
    watch_landing(load_settings(tmp_path, landing=landing, prefect_url="http://prefect"))
    url = "http://prefect/api/deployments/7/schedules/1"
    assert sent == ([] if changed is None else [(url, {"active": changed}, "PATCH")])
