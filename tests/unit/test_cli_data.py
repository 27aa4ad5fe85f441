"""The commands for prices and topics, as far as they go without servers."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from events.topics import TOPICS
from infra.addresses import absolute
from infra.cli import backfill, data, main, topics
from infra.errors import RejectError
from infra.inputs import gather, read_inputs
from infra.progress import listening, tell
from infra.settings import load_settings
from infra.wiring import full_name

COMMANDS = ("ingest", "simulate", "backfill", "emit", "tail", "lag")


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose servers are on ports where nobody listens."""
    monkeypatch.setenv("NEPSE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("NEPSE_PREFECT_URL", "http://127.0.0.1:1")
    return tmp_path


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def record(value: bytes | None, **other: Any) -> SimpleNamespace:
    """A consumer record, as far as the command looks at it."""
    fields = {"topic": "alerts", "partition": 0, "offset": 7, "key": b"k", "headers": []}
    return SimpleNamespace(**{**fields, "value": value, **other})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help ends well and shows how the command is used."""
    assert main.run([command, "--help"]) == 0
    assert f"Example: nepse {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["emit", "alerts", os.devnull], ["tail", "alerts"], ["lag", "--json"]])
def test_no_broker_is_said_quickly(
    command: list[str], nobody: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One sentence on standard error within ten seconds, exit code 1, nothing on standard output."""
    began = time.monotonic()
    assert main.run([*command, "--home", str(nobody)]) == 1
    assert time.monotonic() - began < 10
    captured = capfd.readouterr()
    assert captured.err == "nepse: no broker at 127.0.0.1:1: run 'nepse up'\n"
    assert captured.out == ""


def test_a_server_that_is_no_broker_is_given_up(
    silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A port that accepts and says nothing costs no more than ten seconds either."""
    monkeypatch.setenv("NEPSE_KAFKA_BOOTSTRAP", f"127.0.0.1:{silent}")
    began = time.monotonic()
    assert main.run(["tail", "alerts", "--home", str(tmp_path)]) == 1
    assert time.monotonic() - began < 10
    assert f"no broker at 127.0.0.1:{silent}: run 'nepse up'" in capfd.readouterr().err


@pytest.mark.parametrize(
    "command", [["ingest", "some.csv", "--json"], ["backfill", "--from", "2024-01-01", "--to", "2024-01-02"]]
)
def test_no_prefect_server_is_said_quickly(
    command: list[str], nobody: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is imported or tried for long: the address and the remedy."""
    assert main.run([*command, "--home", str(nobody)]) == 1
    captured = capfd.readouterr()
    assert "the Prefect server at http://127.0.0.1:1 does not answer: run 'nepse up'" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("command", [["emit", "nope", os.devnull], ["tail", "nope\x1b[2J"]])
def test_unknown_topic_lists_the_known_ones(
    command: list[str], nobody: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also before a broker is looked for, and without letting the name move the cursor."""
    assert main.run([*command, "--home", str(nobody)]) == 1
    error = capfd.readouterr().err
    assert "unknown topic nope" in error
    assert all(topic in error for topic in TOPICS)
    assert "\x1b[2J" not in error


@pytest.mark.parametrize(
    "command",
    [
        ["tail"],
        ["tail", "alerts", "--count", "0"],
        ["ingest"],
        ["backfill", "--from", "2024-01-02"],
        ["backfill", "--from", "2024-01-02", "--to", "yesterday"],
        ["backfill", "--from", "2024-01-02", "--to", "2024-01-01"],
        ["simulate", "somewhere", "--sessions", "3", "--live", "3"],
    ],
)
def test_wrong_usage_is_two(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the reason on standard error."""
    assert main.run(command) == 2
    captured = capfd.readouterr()
    assert captured.err
    assert captured.out == ""


def test_tail_line_is_one_object_in_ascii() -> None:
    """The JSON of a record has the promised names, and nothing that a terminal could obey."""
    line = topics._json_line(record('{"symbol": "नेप\x9b"}'.encode(), headers=[("reason", b"a\x1b[31m")]))
    assert json.loads(line) == {
        "topic": "alerts",
        "partition": 0,
        "offset": 7,
        "key": "k",
        "headers": {"reason": "a\x1b[31m"},
        "event": {"symbol": "नेप\x9b"},
    }
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    "value",
    [b"no json", b'{"x": NaN}', b'{"x": 1e999}', b"\xff\xfe", b"[" * 100_000, b'{"x":' + b"9" * 5_000 + b"}"],
)
def test_tail_keeps_what_is_no_json_as_text(value: bytes) -> None:
    """The event is null and the text stands beside it; the line itself is always strict JSON."""
    shown = json.loads(topics._json_line(record(value)), parse_constant=pytest.fail)
    assert shown["event"] is None
    assert shown["raw"] == value.decode("utf-8", "backslashreplace")


def test_tail_shows_missing_key_and_value() -> None:
    """Null key and null value are null, without a raw text."""
    shown = json.loads(topics._json_line(record(None, key=None)))
    assert (shown["key"], shown["event"]) == (None, None)
    assert "raw" not in shown


def test_tail_text_is_harmless_and_short() -> None:
    """Control characters become escapes, a huge value is cut and its length told."""
    line = topics._text_line(record(b"\x1b]0;title\x07\r\n" + b"y" * 10_000, key="\u202eevil".encode()))
    assert line.isprintable()
    assert "\\x1b]0;title\\x07" in line
    assert "\\u202eevil" in line
    assert len(line) < 3_000
    assert "(10012 characters)" in line


def test_emit_takes_lines_as_they_are(tmp_path: Path) -> None:
    """Bytes, spaces and carriage returns stay; empty lines are none; the last needs no line feed."""
    file = tmp_path / "lines"
    file.write_bytes(b'{"a":  1}\r\n\n  \n\xff no json\n{}')
    with topics._open(str(file)) as lines:
        assert list(topics._records(lines)) == [b'{"a":  1}\r', b"\xff no json", b"{}"]


def test_inputs_that_can_not_be_read_leave_the_others(tmp_path: Path) -> None:
    """Each place that fails has its reason; strict reading raises it."""
    (tmp_path / "2024_01_01.csv").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    settings = load_settings(tmp_path)
    bad = [str(tmp_path / "missing.csv"), str(tmp_path / "empty"), "nowhere://x", "http://127.0.0.1:1/a.csv"]
    files, unreadable = gather(settings, [bad[0], str(tmp_path / "*.csv"), *bad[1:]])
    assert [(file.name, file.content) for file in files] == [("2024_01_01.csv", b"x")]
    assert [one.place for one in unreadable] == bad
    assert "there is no such file" in unreadable[0].why
    assert "no price file there" in unreadable[1].why
    with pytest.raises(RejectError, match=r"missing\.csv"):
        read_inputs(settings, bad[:1])


def test_a_folder_stands_for_its_price_files(tmp_path: Path) -> None:
    """In order of their names, the truth about them and other files left out, folders below included."""
    for name in ("b.csv", "a.csv", "manifest.csv", "adjustments.csv", "notes.txt", "daily/c.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    names = [file.name for file in read_inputs(load_settings(tmp_path), [str(tmp_path)])]
    assert names == ["a.csv", "b.csv", "c.parquet"]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    """A file that is there is read, whatever its name."""
    (tmp_path / "2024_01_01 [copy].csv").write_bytes(b"x")
    files = read_inputs(load_settings(tmp_path), [str(tmp_path / "2024_01_01 [copy].csv")])
    assert [file.content for file in files] == [b"x"]


def test_files_from_the_web(tmp_path: Path) -> None:
    """A file's address, with a query or escapes, and a folder's page."""
    (tmp_path / "2024_01_01.csv").write_bytes(b"x")
    settings = load_settings(tmp_path)
    with web(tmp_path) as url:
        files = read_inputs(settings, [f"{url}/2024%5F01_01.csv?token=1", f"{url}/"])
        _, unreadable = gather(settings, [f"{url}/2024_01_02.csv"])
    assert [(file.name, file.content) for file in files] == [("2024_01_01.csv", b"x")] * 2
    assert unreadable[0].why.endswith("there is no such file")


class web:  # noqa: N801  (reads like a function where it is used)
    """Serve a folder over HTTP in a process of its own."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs yet."""
        self.folder = folder

    def __enter__(self) -> str:
        """Start, and wait for the line that names the port."""
        command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        return f"http://127.0.0.1:{self.process.stdout.readline().split(' port ')[1].split()[0]}"

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.terminate()
        self.process.wait(10)


def test_local_places_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may start elsewhere, as when it is run again from the Prefect UI; URLs stay."""
    monkeypatch.chdir(tmp_path)
    assert absolute("a.csv") == str(tmp_path / "a.csv")
    assert absolute("s3://bucket/a.csv") == "s3://bucket/a.csv"


def test_ingest_sentences() -> None:
    """New, repeated and refused files read as people expect; a long table is one line."""
    new = line(session="2024-01-01", accepted=3, rejected=1, events=4)
    assert data._sentence(new) == "f.csv: session 2024-01-01, 3 rows accepted, 1 rejected, 4 events sent"
    repeat = line(session="2024-01-01", note="repeat of 2024-01-01, skipped")
    assert data._sentence(repeat) == "f.csv: repeat of 2024-01-01, skipped"
    assert data._sentence(line(note="refused: f.csv: \x1b[2J")) == "refused: f.csv: \\x1b[2J"
    table = [line(session=f"2024-01-{day:02d}", accepted=2, events=3) for day in range(1, 31)]
    summed = data._sentence(data._summed("f.csv", [*table, repeat]))
    assert "session 2024-01-01 to 2024-01-30, 60 rows accepted, 0 rejected, 90 events sent" in summed
    assert "30 sessions new, 1 skipped" in summed


def line(**other: Any) -> dict[str, Any]:
    """One line of the ingest flow's result."""
    return {
        "file": "f.csv",
        "session": None,
        "accepted": 0,
        "rejected": 0,
        "events": 0,
        "note": "",
        **other,
    }


def test_a_refused_file_makes_the_command_fail() -> None:
    """The others were told before; the count and the first reason are the failure."""
    corrected = line(file="h.csv", events=2, note="revision 2, after session 2024-01-01")
    refused = line(file="g.csv", note="refused: g.csv: no")
    with pytest.raises(RejectError, match=r"1 of 2 files refused, first g\.csv: no"):
        data._require_accepted([line(accepted=2, events=3), refused, corrected])
    data._require_accepted([line(note="repeat of 2024-01-01, skipped")])


def test_simulate_writes_the_same_market_for_the_same_seed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """History and daily files; a folder that is in use is refused and left alone."""
    options = ["--sessions", "12", "--symbols", "3", "--live", "2", "--seed", "5"]
    assert main.run(["simulate", str(tmp_path / "a"), *options]) == 0
    assert main.run(["simulate", str(tmp_path / "b"), *options]) == 0
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*.*")}
    again = {p.relative_to(tmp_path / "b"): p.read_bytes() for p in (tmp_path / "b").rglob("*.*")}
    assert first == again
    assert Path("history.parquet") in first
    assert sum(path.parts[0] == "daily" for path in first) >= 2
    capfd.readouterr()
    assert main.run(["simulate", str(tmp_path / "a"), *options]) == 1
    assert "is not empty" in capfd.readouterr().err


def test_simulate_takes_a_first_day_and_oddities(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every oddity with its files beside; what to ingest next leaves out what is made of the same prices."""
    size = ["--sessions", "30", "--symbols", "12", "--live", "12"]
    options = ["--start", "2023-04-09", "--oddities", "all", "--table", "csv"]
    assert main.run(["simulate", str(tmp_path / "odd"), *size, *options]) == 0
    written = {path.name for path in (tmp_path / "odd").iterdir()}
    assert written >= {"history.csv", "daily", "company-wise", "adjustments.csv", "manifest.csv"}
    assert (tmp_path / "odd/history.csv").read_text().splitlines()[1].split(",")[1] == "2023-04-09"
    assert capfd.readouterr().err.endswith(f"nepse ingest {tmp_path}/odd/daily {tmp_path}/odd/history.csv\n")
    assert main.run(["simulate", str(tmp_path / "clean"), *size, "--oddities", "none"]) == 0
    assert len(list((tmp_path / "clean/daily").iterdir())) == 12


def test_simulate_lists_the_oddities_for_a_wrong_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage, and nothing is written."""
    assert main.run(["simulate", str(tmp_path / "x"), "--oddities", "stale,help"]) == 2
    assert "no such oddity: help; there are stale, recomputed, misdated" in capfd.readouterr().err
    assert not (tmp_path / "x").exists()


def test_symbols_may_be_given_together_or_one_by_one() -> None:
    """Commas and repetition mean the same; none means all."""
    assert backfill._split(["A,B", " C "]) == ["A", "B", "C"]
    assert backfill._split(None) is None
    assert backfill._split([","]) is None


def test_progress_reaches_who_listens_and_only_then() -> None:
    """The listener hears what is told during its block, and nothing after."""
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *told: heard.append(told)):
        tell("sessions", 1, 2)
    tell("sessions", 2, 2)
    assert heard == [("sessions", 1, 2)]


def test_deployments_are_named_after_their_flow() -> None:
    """As Prefect looks them up."""
    assert full_name("join-errors") == "join-errors/join-errors"
    assert full_name("sensor-predict") == "sensor/sensor-predict"


@pytest.mark.parametrize(("computed", "said"), [(0, True), (3, False)])
def test_a_symbol_of_which_nothing_is_known_is_named(
    computed: int, said: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A misspelt one would otherwise look like one that lacks nothing."""
    found = {"sessions": 1, "computed": computed, "published": 0, "dry_run": False, "resumed": False}
    monkeypatch.setattr("infra.prefect_runs.run_here", lambda *_: found)
    span = ["--from", "2024-01-01", "--to", "2024-01-02"]
    assert main.run(["backfill", *span, "--symbols", "NABLI"]) == 0
    assert ("nothing is known of NABLI in these sessions" in capfd.readouterr().err) is said
