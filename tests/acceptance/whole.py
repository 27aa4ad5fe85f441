"""The exchange's whole history and all its daily files through every flow, in order and in any order.

`make real` runs it (NEPSE_DATA names the files) and writes docs/reference/real-files.md.
"""

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from infra.settings import Settings, load_settings
from tests.acceptance.truth import Folder, folder
from tests.conftest import nepse, running_stack

COMMANDS, SEED = 12, 5
INGEST_SECONDS, SETTLED_SECONDS, RECONCILE_SECONDS = 1_200, 3_000, 900
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "real-files.md"
HEAD = """\
# The exchange's files, all of them

`make real` on {data}, {day}: the history, then {files} daily files that hold {sessions} sessions,
through every flow of the local stack. In order: one command. Shuffled: {commands} commands of files
in any order, on another empty stack. The sessions held in the end are those of the manifest, and on
both stacks the same; the whole folder once more told nothing new; `nepse reconcile` was sound.

{table}
"""
Newest = dict[tuple[str, ...], tuple[int, bool, str]]
"""By what an event is about: its revision, whether it was taken back, and a digest of what it says."""


@dataclass
class Passage:
    """What one home made of the files."""

    name: str
    seconds: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    standing: dict[str, dict[tuple[str, ...], str]] = field(default_factory=dict)
    """What counts in the end, by event type."""

    def timed(self, what: str, work: Callable[[], Any]) -> Any:
        """Do something and note the seconds."""
        began = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.monotonic() - began


def test_the_whole_of_it(tmp_path: Path) -> None:
    """Sorted, then shuffled on another stack: the manifest's sessions, equal vectors and errors."""
    data = load_settings().data
    assert data, "NEPSE_DATA has to name the folder of the exchange's files"
    files = folder(data, tmp_path)
    passages = [_passage(files, "in order", shuffled=False), _passage(files, "shuffled", shuffled=True)]
    first, second = (passage.standing for passage in passages)
    for kind in first:
        assert first[kind] == second[kind], f"{kind} depend on the order of the files"
    PAGE.write_text(_page(files, passages))


def _passage(files: Folder, name: str, *, shuffled: bool) -> Passage:
    made = Passage(name)
    with running_stack() as settings:
        made.timed("history", lambda: _ingest(settings, [files.history]))
        for command in _commands(files, shuffled=shuffled):
            lines = made.timed("files", lambda c=command: _ingest(settings, c))
            made.counts.update(_kind(line["note"]) for line in lines)
        made.timed("until all flows were done", lambda: _settle(settings))
        again = _ingest(settings, [files.history, *files.files])
        assert sum(line["events"] for line in again) == 0, "the whole folder again told something new"
        report = made.timed("reconciled", lambda: _said(settings, "reconcile", within=RECONCILE_SECONDS))
        assert report["sound"], report["findings"][:10]
        made.standing = _standing(settings)
    assert {day for (day,) in made.standing["DataIngested"]} == {str(day) for day in files.days}
    return made


def _commands(files: Folder, *, shuffled: bool) -> list[list[Path]]:
    if not shuffled:
        return [files.files]
    order = random.Random(SEED).sample(files.files, len(files.files))
    return [order[n::COMMANDS] for n in range(COMMANDS)]


def _ingest(settings: Settings, paths: list[Path]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = _said(settings, "ingest", *map(str, paths), within=INGEST_SECONDS)
    return lines


def _said(settings: Settings, *arguments: str, within: float) -> Any:
    """Run a command on the stack; returns the JSON that it printed."""
    done = nepse(*arguments, "--json", "--home", str(settings.home), within=within)
    assert done.stdout, f"nepse {arguments[0]} ended with {done.returncode} and said: {done.stderr[-4_000:]}"
    return json.loads(done.stdout)


def _kind(note: str) -> str:
    """Name what became of a file by its line."""
    names = ("repeat of", "less of", "retracted", "put aside", "refused", "after session", "revision")
    return next((name for name in names if name in note), "session")


def _settle(settings: Settings) -> None:
    """Wait until every group has committed to the end, twice in a row: what it did may be news to another."""
    deadline, calm = time.monotonic() + SETTLED_SECONDS, 0
    while calm < 2:
        rows = _said(settings, "lag", within=120)
        behind = {
            f"{row['group']} on {row['topic']}-{row['partition']}": row["lag"] for row in rows if row["lag"]
        }
        calm = 0 if behind else calm + 1
        assert time.monotonic() < deadline, f"still behind: {behind}"
        time.sleep(1.0)


def _standing(settings: Settings) -> dict[str, dict[tuple[str, ...], str]]:
    """Read what counts in the end: the newest revision of what each event is about, unless taken back."""
    wanted = {
        "DataIngested": ("raw-data", ("date",), ("content_hash", "previous_date")),
        "ActualAvailable": ("actuals", ("symbol", "date"), ("actual_close", "previous_date")),
        "FeaturesComputed": ("features", ("symbol", "date"), ("features", "last_close")),
        "ErrorComputed": ("errors", ("symbol", "date", "as_of"), ("actual",)),
    }
    return {kind: _newest(settings, kind, *how) for kind, how in wanted.items()}


def _newest(
    settings: Settings, kind: str, topic: str, about: tuple[str, ...], says: tuple[str, ...]
) -> dict[tuple[str, ...], str]:
    newest: Newest = {}
    for event in _events(settings.bootstrap, topic):
        said = event["payload"]
        if (
            event["event_type"] == "DataRetracted"
        ):  # of the newest of its day: it holds until that is told again
            newest.pop((said["date"],), None)
        if event["event_type"] != kind:
            continue
        key = tuple(str(said[name]) for name in about)
        content = json.dumps([said[name] for name in says], sort_keys=True).encode()
        entry = said["revision"], said.get("retracted", False), hashlib.sha256(content).hexdigest()
        if key not in newest or entry[0] >= newest[key][0]:
            newest[key] = entry
    return {key: digest for key, (_, retracted, digest) in newest.items() if not retracted}


def _events(bootstrap: str, topic: str) -> Iterator[dict[str, Any]]:
    """Read a topic's committed events as a stranger does, one by one."""
    reader = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        spots = [TopicPartition(topic, p) for p in sorted(reader.partitions_for_topic(topic) or ())]
        ends = reader.end_offsets(spots)
        reader.assign(spots)
        for spot in spots:
            reader.seek(spot, 0)
        deadline = time.monotonic() + SETTLED_SECONDS
        while any(reader.position(spot) < ends[spot] for spot in spots):
            assert time.monotonic() < deadline, f"could not read to the end of {topic}"
            for batch in reader.poll(timeout_ms=500).values():
                yield from (json.loads(record.value) for record in batch)
    finally:
        reader.close(autocommit=False)


def _page(files: Folder, passages: list[Passage]) -> str:
    steps = list(passages[0].seconds)
    kinds = sorted({kind for passage in passages for kind in passage.counts})
    rows = [[step, *(f"{passage.seconds[step]:.0f} s" for passage in passages)] for step in steps]
    rows += [[f"files: {kind}", *(str(passage.counts[kind]) for passage in passages)] for kind in kinds]
    rows += [
        [f"{kind} that count", *(str(len(passage.standing[kind])) for passage in passages)]
        for kind in passages[0].standing
    ]
    names = [passage.name for passage in passages]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [["", *names], ["---"] * (len(names) + 1), *rows])
    return HEAD.format(
        data=files.told,
        day=datetime.now(UTC).date(),
        files=len(files.files),
        sessions=len(set(files.sessions)),
        commands=COMMANDS,
        table=table,
    )
