"""The command that shows features, as far as it goes without servers."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cli import features, main, shared
from infra.errors import RejectError
from tasks import feature_store
from tasks.core.features import FEATURE_SET

VECTOR: dict[str, Any] = {
    "symbol": "NICAD 85/86",
    "session": "2024-03-04",
    "feature_set": FEATURE_SET,
    "revision": 0,
    "last_close": 512.25,
    "event_id": "e",
    "place": "features-1@7",
    "read_from": "the read side",
    "features": {"RSI": 61.23457, "vol_20": None, "[red]\x1b": 1.0},
}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the store answers; who was asked, and for what, is noted in `asked`."""
    answer: dict[str, Any] = {"vector": VECTOR}

    def newest(_settings: object, symbol: str) -> Any:
        answer["asked"] = ("read side", symbol)
        return answer["vector"]

    def as_of(_table: object, symbol: str, day: object) -> Any:
        answer["asked"] = ("feature table", symbol, str(day))
        return answer["vector"]

    monkeypatch.setattr(feature_store, "newest_vector", newest)
    monkeypatch.setattr(feature_store, "vector_as_of", as_of)
    monkeypatch.setattr(shared, "listens", lambda *_: None)
    monkeypatch.setenv("NEPSE_HOME", str(tmp_path))
    return answer


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """As every command's."""
    assert main.run(["features", "--help"]) == 0
    assert "Example: nepse features" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], ("read side", "NICAD85/86")),
        (["--as-of", "2024-03-05"], ("feature table", "NICAD85/86", "2024-03-05")),
    ],
)
def test_the_newest_is_of_the_read_side_and_older_ones_of_the_table(
    options: list[str], asked: tuple[str, ...], found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON is the whole vector, whichever was asked; the symbol may be spelled as in old files."""
    assert main.run(["features", "NICAD 85/86", "--json", *options]) == 0
    assert found["asked"] == asked
    assert json.loads(capsys.readouterr().out) == VECTOR


def test_people_see_values_with_their_meaning(
    found: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """Unit and formula beside each; what is unknown is empty, foreign names are harmless, a next step."""
    assert found["vector"] is VECTOR
    assert main.run(["features", "NICAD 85/86"]) == 0
    shown = capfd.readouterr()
    head, _, *lines = shown.out.splitlines()
    assert head == (
        f"NICAD 85/86: session 2024-03-04, feature set {FEATURE_SET}, revision 0, last close 512.25"
        " (features-1@7, from the read side)"
    )
    assert lines[0].split()[:3] == ["RSI", "61.23457", "percent"]
    assert lines[1].split()[:2] == ["vol_20", "log"]
    assert lines[2].split() == ["[red]\\x1b", "1"]
    assert "next: nepse lineage 'NICAD 85/86' 2024-03-04" in shown.err


def test_a_name_of_another_set_is_not_explained(
    found: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """It may be another formula."""
    found["vector"] = VECTOR | {"feature_set": "other"}
    assert main.run(["features", "NICAD 85/86"]) == 0
    shown = capfd.readouterr().out
    assert "feature set other" in shown
    assert "percent" not in shown


def test_a_refusal_is_one_sentence(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and nothing on standard output."""

    def refuse(*_: object) -> None:
        message = "no symbol 'nabl': did you mean NABIL?"
        raise RejectError(message)

    assert found["vector"] is VECTOR
    monkeypatch.setattr(feature_store, "newest_vector", refuse)
    assert main.run(["features", "nabl", "--json"]) == 1
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "nepse: no symbol 'nabl': did you mean NABIL?\n")


@pytest.mark.parametrize(
    ("options", "missing"), [([], "no database at"), (["--as-of", "2024-03-05"], "no object store at")]
)
def test_nobody_there_is_said_with_what_to_do(
    options: list[str],
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """At once, and without the database's password."""
    monkeypatch.setenv("NEPSE_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1")
    monkeypatch.setenv("NEPSE_S3_ENDPOINT", "http://127.0.0.1:1")
    assert main.run(["features", "NABIL", "--home", str(tmp_path), *options]) == 1
    shown = capfd.readouterr()
    assert f"{missing} 127.0.0.1:1: run 'nepse up'" in shown.err
    assert "secret" not in shown.err


@pytest.mark.parametrize("day", ["yesterday", "2024-03-04T10:00"])
def test_a_date_that_is_none_is_wrong_usage(day: str) -> None:
    """Exit code 2 before any server is asked."""
    assert main.run(["features", "NABIL", "--as-of", day]) == 2


def test_numbers_keep_the_digits_of_the_wire() -> None:
    """Seven of them; nothing for what is not known."""
    assert [features._number(x) for x in (61.23457, 1e-9, 12345678.0, 0.0, None)] == [
        *("61.23457", "1e-09", "1.234568e+07", "0", ""),
    ]
