"""The snapshots guard the models: what may be written, and what is refused with a reason."""

from pathlib import Path
from shutil import copytree
from typing import Any, ClassVar

import pytest

from events.asyncapi import document, text
from events.asyncapi import main as asyncapi
from events.fields import Text
from events.payloads import PAYLOADS, Payload
from events.schemas import SNAPSHOTS, check, main, write
from events.topics import TOPICS

ROOT = Path(__file__).parents[2]


class PredictionMade(Payload):
    """The model as it was first."""

    symbol: Text
    note: Text | None = None


First = PredictionMade


def _model(version: int, **fields: Any) -> dict[str, type[Payload]]:
    """A later PredictionMade with these fields."""
    annotations = {"symbol": Text, "note": Text | None} | {name: kind for name, (kind, *_) in fields.items()}
    defaults = {name: default for name, (_, *default) in fields.items() for default in default}
    body = {
        "note": None,
        "__annotations__": annotations | {"schema_version": ClassVar[int]},
        "__doc__": "Later.",
    }
    later = type(
        "PredictionMade", (Payload,), body | defaults | {"schema_version": version, "__module__": __name__}
    )
    return {"PredictionMade": later}


@pytest.fixture
def snapshots(tmp_path: Path) -> Path:
    """A folder that holds the first version."""
    complaints, written = write(tmp_path, {"PredictionMade": First})
    assert (complaints, [path.name for path in written]) == ([], ["PredictionMade.v1.json"])
    return tmp_path


def test_the_committed_snapshots_are_those_of_the_models() -> None:
    """What `make test` runs; every event type has its snapshot."""
    assert check() == []
    assert main(["--check"]) == 0
    folder = ROOT / "events" / "schemas"
    assert {path.name.split(".")[0] for path in folder.glob("*.json")} == set(PAYLOADS)


def test_an_event_without_a_snapshot_is_noticed(tmp_path: Path) -> None:
    """A new event type must be written down before it is sent."""
    assert check(tmp_path, {"PredictionMade": First}) == [
        "PredictionMade.v1.json is not written yet: run `python -m events.schemas --write`"
    ]


def test_a_compatible_change_becomes_the_next_version(snapshots: Path) -> None:
    """It is written beside the older one, which stays as it is; then the check is content."""
    first = (snapshots / "PredictionMade.v1.json").read_bytes()
    later = _model(2, as_of=(Text | None, None))
    assert check(snapshots, later)
    assert [path.name for path in write(snapshots, later)[1]] == ["PredictionMade.v2.json"]
    assert check(snapshots, later) == []
    assert (snapshots / "PredictionMade.v1.json").read_bytes() == first


@pytest.mark.parametrize("version", [1, 3])
def test_a_change_must_come_with_its_version(snapshots: Path, version: int) -> None:
    """A forgotten or a skipped number is refused, and nothing is written."""
    complaints, written = write(snapshots, _model(version, as_of=(Text | None, None)))
    sentence = "PredictionMade: its model differs from its newest snapshot v1, so schema_version must be 2"
    assert complaints == [f"{sentence} and not {version}"]
    assert written == []


def test_a_version_must_come_with_its_change(snapshots: Path) -> None:
    """A number that grew for nothing would claim a schema that is nowhere."""
    assert check(snapshots, _model(2)) == [
        "PredictionMade: its model equals its newest snapshot v1, so schema_version must be 1 and not 2"
    ]


def test_an_incompatible_change_is_refused_by_name(snapshots: Path) -> None:
    """Check and write say event, field and rule; no file appears."""
    later = _model(2, model_version=(Text,))
    sentence = "PredictionMade: field payload.model_version became required: old events lack it (since v1)"
    assert check(snapshots, later) == [sentence]
    assert write(snapshots, later) == ([sentence], [])
    assert [path.name for path in snapshots.iterdir()] == ["PredictionMade.v1.json"]


def test_every_older_version_counts(snapshots: Path) -> None:
    """A field that was dropped may not come back as something else: the oldest events still hold it."""
    without = {"PredictionMade": _without_note(2)}
    assert write(snapshots, without)[0] == []
    complaints = check(snapshots, _model(3, note=(int, 0)))
    assert any(
        "field payload.note no longer accepts string" in text and "since v1" in text for text in complaints
    )
    assert not any("since v2" in text for text in complaints)


def _without_note(version: int) -> type[Payload]:
    annotations = {"symbol": Text, "schema_version": ClassVar[int]}
    body = {"__annotations__": annotations, "schema_version": version, "__module__": __name__}
    return type("PredictionMade", (Payload,), body)


def test_one_refusal_stops_all_writing(snapshots: Path) -> None:
    """Half a set of snapshots would be a contract that nobody meant."""
    other = type("Other", (Payload,), {"__annotations__": {"a": int}, "__module__": __name__})
    assert write(snapshots, _model(2, model_version=(Text,)) | {"Other": other})[1] == []
    assert not (snapshots / "Other.v1.json").exists()


def test_an_event_type_may_not_vanish(snapshots: Path) -> None:
    """Its events stay on the topics for ever."""
    assert check(snapshots, {}) == [
        "PredictionMade is no longer an event type: its old events could not be read"
    ]


def test_a_lost_snapshot_is_noticed(snapshots: Path) -> None:
    """Without it, nothing would guard the readers of that version."""
    later = _model(2, as_of=(Text | None, None))
    write(snapshots, later)
    (snapshots / "PredictionMade.v1.json").unlink()
    assert check(snapshots, later) == [
        "PredictionMade: snapshots [2] have a gap: bring back the missing file"
    ]


def test_words_may_change_without_a_version(snapshots: Path) -> None:
    """A docstring binds nobody."""
    later = _model(1)
    assert later["PredictionMade"].__doc__ != First.__doc__
    assert check(snapshots, later) == []


def test_the_commands_say_no_with_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Complaints go to standard error; what was written to standard output."""
    copytree(SNAPSHOTS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "LetterRetried.v1.json").unlink()
    assert main(["--check", "--directory", str(tmp_path)]) == 1
    assert "LetterRetried.v1.json is not written yet" in capsys.readouterr().err
    assert main(["--write", "--directory", str(tmp_path)]) == 0
    assert "wrote LetterRetried.v1.json\n" in capsys.readouterr().out
    assert main(["--check", "--directory", str(tmp_path)]) == 0


def test_the_committed_document_is_what_the_code_says() -> None:
    """Whoever integrates reads the document, not our code."""
    assert (ROOT / "docs" / "reference" / "asyncapi.yaml").read_text("utf-8") == text()


def test_the_document_names_every_topic_and_event() -> None:
    """Channels are topics with their bindings; messages are their events; all references lead somewhere."""
    whole = document()
    assert set(whole["channels"]) == set(TOPICS)
    for name, topic in TOPICS.items():
        channel = whole["channels"][name]
        kafka = channel["bindings"]["kafka"]
        assert {key: str(value) for key, value in kafka["topicConfiguration"].items()} == topic.config
        assert kafka.get("partitions") == (None if topic.spread else 1)
        assert set(channel["messages"]) == set(topic.events or ["DeadLetter"])
        for message in channel["messages"]:
            assert (
                whole["components"]["messages"][message]["bindings"]["kafka"]["key"]["description"]
                == topic.key
            )
    assert set(PAYLOADS) < set(whole["components"]["messages"])
    assert all(_found(whole, reference) for reference in _references(whole))


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in _references(value)]
    return [found for one in part for found in _references(one)] if isinstance(part, list) else []


def _found(whole: Any, reference: str) -> bool:
    at = whole
    for step in reference.removeprefix("#/").split("/"):
        at = at[step]
    return bool(at)


def test_a_stale_document_is_refused_and_renewed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing or different, the check says how to mend it."""
    path = tmp_path / "reference" / "asyncapi.yaml"
    arguments = ["--document", str(path)]
    assert asyncapi(["--check", *arguments]) == 1
    assert asyncapi(["--write", *arguments]) == 0
    assert asyncapi(["--check", *arguments]) == 0
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    assert asyncapi(["--check", *arguments]) == 1
    assert "run `python -m events.asyncapi --write`" in capsys.readouterr().err
