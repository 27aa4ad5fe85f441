"""`nepse alerts test`: a file of rules before it is used."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.envelope import Event, Metadata, encode
from events.payloads import ActualAvailable, ErrorComputed, Payload
from infra.cli.main import run
from infra.stack import control

RULES = "rules:\n  - {name: big, about: error, measure: abs_error, above: 50, by: [symbol]}\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A file of one rule."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


def an_event(payload: Payload) -> bytes:
    """An event as it is written."""
    return encode(Event(datetime(2024, 3, 4, tzinfo=UTC), "test", payload, Metadata("e", "e", 2, None, None)))


def an_error(abs_error: float) -> bytes:
    """An error event of a given size."""
    values: dict[str, Any] = {"predicted": 100.0, "actual": 100.0, "error": abs_error, "abs_error": abs_error}
    return an_event(ErrorComputed(symbol="NABIL", date=date(2024, 3, 4), **values))


def test_the_rules_that_come_with_the_system(capsys: pytest.CaptureFixture[str]) -> None:
    """A table of them; with --json what a script needs."""
    file = Path(__file__).parents[2] / "tasks" / "core" / "alert_rules.yaml"
    assert run(["alerts", "test", str(file)]) == 0
    assert "abs_error" in capsys.readouterr().out
    assert run(["alerts", "test", str(file), "--json"]) == 0
    assert {rule["name"] for rule in json.loads(capsys.readouterr().out)["rules"]} >= {
        "abs_error",
        "server_away",
    }


def test_events_are_held_against_them(
    rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they are on the topic, or as `nepse tail --json` prints them."""
    events = tmp_path / "events.jsonl"
    tailed = orjson.dumps({"topic": "errors", "event": orjson.loads(an_error(60))})
    events.write_bytes(b"\n".join([an_error(40), an_error(51), b"", tailed]))
    assert run(["alerts", "test", str(rules), "--events", str(events), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["alerts"]
    assert [(one["rule"], one["value"], one["labels"]) for one in told] == [
        ("big", 51.0, {"symbol": "NABIL"}),
        ("big", 60.0, {"symbol": "NABIL"}),
    ]
    events.write_bytes(b"\n".join([an_error(51)] * 12))
    assert run(["alerts", "test", str(rules), "--events", str(events)]) == 0
    shown = capsys.readouterr().out
    assert "big: NABIL on 2024-03-04: 51.00 rupees of absolute error is above 50" in shown
    assert "and 2 more" in shown


def test_a_wrong_file_is_told_with_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is that of wrong usage."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES + "  - name: other\n    about: nothing\n")
    assert run(["alerts", "test", str(file)]) == 2
    told = capsys.readouterr().err
    assert f"{file}:4: about: nothing is none of" in told
    assert f"{file}:3: a rule needs measure" in told
    file.write_bytes(b"\xff\xfe\x00")
    assert run(["alerts", "test", str(file)]) == 2
    assert "no text in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "line 1 of the events is no event"),
        (b"3", "line 1 of the events is no event"),
        (
            an_event(ActualAvailable(symbol="NABIL", date=date(2024, 3, 4), actual_close=1.0)),
            "line 1 of the events is no ErrorComputed but ActualAvailable",
        ),
    ],
)
def test_a_wrong_event_is_told_with_its_line(
    line: bytes, told: str, rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is passed over in silence."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(line)
    assert run(["alerts", "test", str(rules), "--events", str(events)]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def _unlaunched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be started; without its guard a test would leave servers behind."""
    monkeypatch.setattr(control, "launch", lambda _settings: pytest.fail("a stack was started"))


@pytest.mark.usefixtures("_unlaunched")
def test_a_stack_does_not_start_with_wrong_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever starts it is told the line, and nothing was started."""
    file = tmp_path / "rules.yaml"
    monkeypatch.setenv("NEPSE_ALERT_RULES", str(file))
    assert run(["up", "--home", str(tmp_path / "home")]) == 2
    assert "can't be read" in capsys.readouterr().err
    file.write_text("rules: 3")
    assert run(["up", "--home", str(tmp_path / "home")]) == 2
    assert f"{file}:1: the file needs a list" in capsys.readouterr().err
    file.write_text(RULES.replace("by:", "channels: [ops], by:"))
    assert run(["up", "--home", str(tmp_path / "home")]) == 2
    assert f"{file}:2: there is no channel ops: log" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "home" / "kafka").exists()


WRONG_CHANNELS = {
    "no such service": ({"ops": "nothing://user:hidden@host"}, "channel ops is none that Apprise knows"),
    "the stack's own": ({"log": "json://host"}, "can't be called 'log'"),
    "no name": ({"a,b": "json://host"}, "can't be called 'a,b'"),
}


@pytest.mark.usefixtures("_unlaunched")
@pytest.mark.parametrize("wrong", WRONG_CHANNELS)
def test_a_stack_does_not_start_with_wrong_channels(
    wrong: str, rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor are rules tried out beside them; the URL, which may hold a password, is not shown."""
    channels, told = WRONG_CHANNELS[wrong]
    monkeypatch.setenv("NEPSE_NOTIFY_CHANNELS", json.dumps(channels))
    home = str(rules.parent / "home")
    for command in (["up", "--home", home], ["alerts", "test", str(rules), "--home", home]):
        assert run(command) == 2
        shown = " ".join(capsys.readouterr().err.split())
        assert told in shown
        assert "NEPSE_NOTIFY_CHANNELS" in shown
        assert "hidden" not in shown


def test_a_rule_may_name_the_channels_of_the_settings(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is tried out is what a stack would start with."""
    rules.write_text(RULES.replace("by:", "channels: [ops], by:"))
    test = ["alerts", "test", str(rules), "--home", str(tmp_path)]
    assert run(test) == 2
    assert f"{rules}:2: there is no channel ops" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("NEPSE_NOTIFY_CHANNELS", json.dumps({"ops": "json://127.0.0.1"}))
    assert run(test) == 0
