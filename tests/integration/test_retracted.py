"""What was taken for a session and was none: on a whole stack all that followed from it is taken back."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from events.payloads import DataRetracted, ErrorComputed, PredictionExpired, PredictionMade
from infra.feature_table import FeatureTable
from infra.inputs import InputFile
from infra.settings import Settings
from tasks.core.prices import read_daily
from tasks.core.simulator import Oddities, write_market
from tasks.reading import read_sessions
from tests.conftest import nepse, running_stack
from tests.copies import eventually
from tests.ingesting import Exchange
from tests.stacks import UNTRAINED, WITHIN, events_of, settle
from tests.unit.test_retractions import errors_of

pytestmark = pytest.mark.stack

PAST, SYMBOLS, LIVE = 40, 24, 6
SETTINGS = {"NEPSE_EXPIRE_AFTER_SESSIONS": "2", **UNTRAINED}
Errors = dict[tuple[Any, ...], float]


class Files(NamedTuple):
    """A history, a session, a file of the next day that repeats it, and the sessions that followed."""

    history: InputFile
    original: InputFile
    holiday: InputFile
    later: list[InputFile]
    original_day: date
    phantom: date
    silent: str
    """A symbol that trades in the original, and not afterwards."""


class Story(NamedTuple):
    """What came of them in the wrong order."""

    settings: Settings
    files: Files


def a_market() -> Files:
    """Write a market, and the file that a site has on a holiday: the last session's, under the day's name."""
    written = write_market(
        sessions=PAST + LIVE, symbols=SYMBOLS, seed=29, daily=LIVE, oddities=Oddities.none()
    )
    files = {Path(name).name: data for name, data in written if name.startswith(("history", "daily/"))}
    original, holiday, *later = sorted(name for name in files if name.endswith(".csv"))
    silent = str(read_daily(files[original], original).rows["symbol"].iloc[0])
    return Files(
        InputFile("history.parquet", files["history.parquet"]),
        InputFile(original, files[original]),
        InputFile(holiday, files[original]),
        [InputFile(name, without(files[name], silent)) for name in later],
        day_of(original),
        day_of(holiday),
        silent,
    )


def without(data: bytes, symbol: str) -> bytes:
    """Leave a symbol's row out of a daily file."""
    lines = data.splitlines(keepends=True)
    return b"".join(line for line in lines if symbol.encode() not in line.split(b","))


def day_of(name: str) -> date:
    """The day that a daily file is named for."""
    return date.fromisoformat(name.removesuffix(".csv").replace("_", "-"))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The holiday's file comes before its original, and so does the session after it; then all is right."""
    folder, files = tmp_path_factory.mktemp("retracted"), a_market()
    with running_stack(**SETTINGS) as settings:
        ingest(settings, folder, [files.history, files.holiday])
        ingest(settings, folder, files.later[:1])
        await_newest(settings, files.silent, files.phantom)
        ingest(settings, folder, [files.original])
        ingest(settings, folder, files.later[1:])
        yield Story(settings, files)


def ingest(settings: Settings, folder: Path, files: list[InputFile]) -> None:
    """Ingest files with one command, and wait until all flows and projectors have done what follows."""
    for file in files:
        (folder / file.name).write_bytes(file.content)
    paths = [str(folder / file.name) for file in files]
    done = nepse("ingest", "--home", str(settings.home), *paths, within=WITHIN)
    assert done.returncode == 0, done.stderr
    settle(settings)


def await_newest(settings: Settings, symbol: str, day: date) -> None:
    """Wait until a person who looks a symbol up is shown its vector of a session."""

    def shown() -> str:
        done = nepse("features", symbol, "--home", str(settings.home), "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["session"])

    eventually(lambda: shown() == str(day), f"{symbol}'s newest vector is of {day}")


def stored(settings: Settings) -> pd.DataFrame:
    """What the feature table tells, without the rows that were taken back."""
    return FeatureTable(settings).read()[0]


def test_the_session_is_retracted_once(story: Story) -> None:
    """The event says whose rows it had."""
    (gone,) = [
        e.payload for e in events_of(story.settings, "raw-data") if isinstance(e.payload, DataRetracted)
    ]
    assert (gone.date, gone.repeats) == (story.files.phantom, story.files.original_day)


def test_the_feature_store_knows_no_vector_of_it(story: Story) -> None:
    """The table leaves the rows out that it keeps; the newest vector is the one of the original."""
    phantom = pd.Timestamp(story.files.phantom)
    kept = pd.concat(list(FeatureTable(story.settings).frames()))
    kept = kept[pd.to_datetime(kept["date"]) == phantom]
    assert len(kept) >= SYMBOLS // 2
    assert kept["retracted"].all()
    rows = stored(story.settings)
    assert phantom not in set(rows["date"])
    assert pd.Timestamp(story.files.original_day) in set(rows["date"])
    await_newest(story.settings, story.files.silent, story.files.original_day)


def test_errors_are_those_of_the_right_order(story: Story) -> None:
    """The newest revision of each, unless it was taken back, is what the clean order gives."""
    found: dict[tuple[Any, ...], ErrorComputed] = {}
    for event in events_of(story.settings, "errors"):
        if isinstance(error := event.payload, ErrorComputed):
            key = error.symbol, error.date, error.as_of
            if key not in found or error.revision >= found[key].revision:
                found[key] = error
    assert any(error.retracted for error in found.values())
    standing = {key: error.error for key, error in found.items() if not error.retracted}
    assert standing == in_order(story.files)


def in_order(files: Files) -> Errors:
    """The errors where each file came when it was published, computed without servers."""
    exchange = Exchange()
    for some in ([files.history, files.original], [files.holiday], files.later):
        read, refused = read_sessions.fn(some, date.min, date.max)
        assert not refused
        exchange.command(*read)
    return {key: error for key, (error, _) in errors_of(exchange).items()}


def test_what_expired_of_it_does_not_count(story: Story) -> None:
    """PredictionExpired is about a prediction: the newest revision of one from the phantom takes it back."""
    made: dict[tuple[str, date, date | None], PredictionMade] = {}
    for event in events_of(story.settings, "predictions"):
        if isinstance(one := event.payload, PredictionMade):
            key = one.symbol, one.date, one.as_of
            made[key] = max(made.get(key, one), one, key=lambda each: each.revision)
    of_it = [one for one in made.values() if one.as_of == story.files.phantom]
    assert len(of_it) >= SYMBOLS // 2
    assert all(one.retracted for one in of_it)
    ended = [
        e.payload for e in events_of(story.settings, "errors") if isinstance(e.payload, PredictionExpired)
    ]
    counting = {one.as_of for one in ended if not made[one.symbol, one.date, one.as_of].retracted}
    assert len(counting) > 1
    assert story.files.phantom not in counting


def test_the_proofs_hold(story: Story) -> None:
    """Everything is accounted for, and a rebuild of the feature table gives what was there."""
    home = ("--json", "--home", str(story.settings.home))
    report = json.loads(nepse("reconcile", *home, within=WITHIN).stdout)
    assert report["sound"], report["findings"]
    before = stored(story.settings)
    done = nepse("rebuild", "--features", "--yes", *home, within=WITHIN)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(stored(story.settings)[before.columns], before, check_exact=True)
