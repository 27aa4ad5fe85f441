"""The exchange's files go through the live path and end as the sessions of the manifest, in any order.

The whole chain, with the whole history, is what `make real` does.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.bootstrap import Loop
from infra.inputs import InputFile
from infra.kafka.source import Source
from infra.settings import load_settings
from tasks.announcements import PRODUCER
from tasks.core.prices import session_from_parquet
from tasks.core.sessions import SessionIndex
from tasks.ingestion import ingest_batch
from tasks.reading import read_sessions
from tests.acceptance.truth import Folder, folder
from tests.conftest import running_stack
from tests.faults import journal

pytestmark = pytest.mark.stack
RECENT = 10
COMMANDS = 12
SEED = 5


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The daily files, and the last sessions of the history before them."""
    return folder(load_settings().data, tmp_path_factory.mktemp("files"), recent=RECENT)


def test_the_files_of_one_command_again_and_shuffled(files: Folder) -> None:
    """In order and again, and from an empty stack in any order over commands: the manifest's sessions."""
    seen = []
    for shuffled in (False, True):
        with running_stack(NEPSE_PARTS='["kafka","s3"]') as settings, closing(Loop(settings)) as loop:
            commands = _commands(files, shuffled=shuffled)
            for command in commands:
                _ingest(loop, command)
            seen.append(_state(loop, files))
            before = loop.raw_data.refresh()
            _ingest(loop, [files.history, *files.files])
            assert loop.raw_data.refresh() == before, "the whole folder again changed something"
    assert seen[0] == seen[1]


def _commands(files: Folder, *, shuffled: bool) -> list[list[Path]]:
    """One command with everything; or the history, then the files in any order over some commands."""
    if not shuffled:
        return [[files.history, *files.files]]
    order = random.Random(SEED).sample(files.files, len(files.files))
    return [[files.history], *(order[n::COMMANDS] for n in range(COMMANDS))]


def _ingest(loop: Loop, paths: list[Path]) -> None:
    found, refused = read_sessions.fn(
        [InputFile(path.name, path.read_bytes()) for path in paths], date.min, date.max
    )
    assert not refused
    source = Source(loop.pool, PRODUCER)
    source.open()
    with closing(source):
        ingest_batch.fn(loop, source, found)


def _state(loop: Loop, files: Folder) -> dict[date, str]:
    """Require the manifest's sessions, and of each its rows' closes after the session before; return them."""
    index = SessionIndex()
    for entry in loop.raw_data.between(0, loop.raw_data.refresh()):
        index.add(entry.place.offset, entry.payload, entry.id)
    held = index.alive()
    assert {one.day for one in held} == files.days
    wanted: Counter[tuple[str, ...]] = Counter()
    for before, one in pairwise([None, *held]):
        assert one is not None
        rows = session_from_parquet(loop.store.get(one.location), one.location)
        told = str(one.day), str(before.day if before else None)
        wanted.update(
            (symbol, *told, str(close)) for symbol, close in zip(rows["symbol"], rows["close"], strict=True)
        )
    assert Counter(closes(journal.read(loop.settings.bootstrap, ["actuals"]))) == wanted
    return {one.day: one.digest for one in held}


def closes(told: journal.Journal) -> Iterator[tuple[str, ...]]:
    """List the closes that count: the newest revision of each, unless it was taken back."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for record in told.of("actuals", "ActualAvailable"):
        said = record.payload
        key = said["symbol"], said["date"]
        if key not in newest or said["revision"] > newest[key]["revision"]:
            newest[key] = said
    for (symbol, day), said in newest.items():
        if not said["retracted"]:
            yield symbol, day, str(said["previous_date"]), str(float(said["actual_close"]))
