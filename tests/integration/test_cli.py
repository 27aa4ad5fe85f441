"""Prices and topics through the command line, against the real servers."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.kafka.pool import Pool
from infra.settings import Settings
from infra.wiring import routes

pytestmark = pytest.mark.stack
Cli = Callable[..., subprocess.CompletedProcess[str]]
NEPSE = str(Path(sys.executable).with_name("nepse"))
LAG = ["group", "topic", "partition", "committed", "end", "lag", "seconds_behind"]
DAY = "2001-01-01"
PRICES = "Symbol,Open,High,Low,Close,Vol,Turnover\nCLIA,10,11,9,10.5,100,1050\nCLIB,20,21,19,-,1,20\n"
FREE = "redrives"
"""A topic that no sensor reads: what is put there disturbs nobody."""


@pytest.fixture
def nepse(stack: Settings, cli: Cli) -> Cli:
    """The command line on the running stack."""
    return lambda *arguments: cli("--home", str(stack.home), *arguments)


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Read what `tail --json` printed."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_emitted_bytes_come_back(nepse: Cli, tmp_path: Path) -> None:
    """Key and bytes as they were, in order; each record's place is reported."""
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b'{"n":  1}\nnot json \x1b[31m\n')
    done = nepse("emit", FREE, str(file), "--key", "key one", "--json")
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)
    assert (sent["topic"], sent["records"]) == (FREE, 2)
    place = sent["partitions"][0]
    seen = events(nepse("tail", FREE, "--from-beginning", "--timeout", "5", "--json"))
    first, second = (r for r in seen if place["first"] <= r["offset"] <= place["last"])
    assert (first["key"], first["headers"], first["event"]) == ("key one", {}, {"n": 1})
    assert (second["event"], second["raw"]) == (None, "not json \x1b[31m")


def test_tail_stops_after_count(nepse: Cli, tmp_path: Path) -> None:
    """As many as asked for, though more are there."""
    file = tmp_path / "lines.jsonl"
    file.write_text('{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    assert nepse("emit", FREE, str(file)).returncode == 0
    assert len(events(nepse("tail", FREE, "--from-beginning", "--count", "2", "--json"))) == 2


def test_tail_shows_only_what_comes_and_what_is_committed(stack: Settings) -> None:
    """Not what was there, nor what a transaction sent and took back, but what one committed afterwards."""
    warm = Pool(stack).new_producer("test.cli")
    with tailing(stack, "--count", "1", "--timeout", "60") as tail:
        await_start(tail)
        warm.producer.begin_transaction()
        warm.producer.send(FREE, b'{"n": "aborted"}').get(timeout=10)
        warm.producer.abort_transaction()
        warm.producer.begin_transaction()
        warm.producer.send(FREE, b'{"n": "committed"}').get(timeout=10)
        warm.producer.commit_transaction()
        warm.discard()
        out, _ = tail.communicate(timeout=90)
    assert [json.loads(line)["event"] for line in out.splitlines()] == [{"n": "committed"}]
    assert tail.returncode == 0


def test_ctrl_c_ends_tail_quietly(stack: Settings) -> None:
    """No traceback, no complaint, exit code 0."""
    with tailing(stack) as tail:
        await_start(tail)
        tail.send_signal(2)
        out, err = tail.communicate(timeout=30)
    assert (tail.returncode, out, err) == (0, "", "")


@contextmanager
def tailing(stack: Settings, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `nepse tail` beside the test; it is gone at the end."""
    command = [NEPSE, "tail", FREE, "--home", str(stack.home), "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def await_start(tail: subprocess.Popen[str]) -> None:
    """Read the line that says from where on records count."""
    assert tail.stderr is not None
    assert "from now on" in tail.stderr.readline()


def test_lag_names_every_group_on_every_topic(nepse: Cli) -> None:
    """The promised names, whole numbers, and a row for each route of the wiring."""
    done = nepse("lag", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {tuple(row) for row in rows} == {tuple(LAG)}
    assert {(row["group"], row["topic"]) for row in rows} == {(r.flow, t) for r in routes() for t in r.topics}
    assert all(row["lag"] == row["end"] - row["committed"] >= 0 for row in rows)


def test_ingest_tells_of_each_file_and_repeats_are_skipped(nepse: Cli, tmp_path: Path) -> None:
    """One file is new, one refused, one away; the new one's events are on the topics, once."""
    good, bad = tmp_path / f"{DAY}.csv", tmp_path / "2001-01-02.csv"
    good.write_text(PRICES)
    bad.write_text("hello,world\n")
    done = nepse("ingest", str(good), str(bad), str(tmp_path / "missing.csv"), "--json")
    assert done.returncode == 1
    assert "2 of 3 files refused" in done.stderr
    line = next(line for line in json.loads(done.stdout) if line["file"] == good.name)
    told = {"session": DAY, "accepted": 1, "rejected": 1, "events": 2, "note": ""}
    assert line == {"file": good.name, **told}
    again = nepse("ingest", str(good))
    assert again.returncode == 0, again.stderr
    assert f"{good.name}: repeat of {DAY}, skipped" in again.stdout
    raw = [r for r in read_all(nepse, "raw-data") if r["event"]["payload"]["date"] == DAY]
    assert [r["event"]["payload"]["row_count"] for r in raw] == [1]
    assert [r["key"] for r in raw] == ["NEPSE"]
    actual = [r for r in read_all(nepse, "actuals") if r["event"]["payload"]["date"] == DAY]
    assert [(r["key"], r["event"]["payload"]["actual_close"]) for r in actual] == [("CLIA", 10.5)]


def read_all(nepse: Cli, topic: str) -> list[dict[str, Any]]:
    """Read what a topic holds now."""
    return events(nepse("tail", topic, "--from-beginning", "--timeout", "6", "--json"))


def test_ingest_of_nothing_usable_fails_and_writes_nothing(nepse: Cli, tmp_path: Path) -> None:
    """One sentence with the reason, nothing on standard output; the run failed at the server, too."""
    before = read_all(nepse, "raw-data")
    done = nepse("ingest", str(tmp_path / "missing.csv"), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing was ingested: can't read" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(read_all(nepse, "raw-data")) == len(before)


def test_backfill_of_no_session_is_one_sentence(nepse: Cli) -> None:
    """The flow's own failure reaches the terminal as it was."""
    done = nepse("backfill", "--from", "1999-01-01", "--to", "1999-01-02", "--dry-run")
    assert done.returncode != 0
    assert "no session between 1999-01-01 and 1999-01-02 was ingested" in done.stderr
    assert "Traceback" not in done.stderr
