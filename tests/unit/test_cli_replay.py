"""Which slices `nepse replay` asks for."""

from typing import Any

import pytest

from infra import prefect_runs
from infra.cli import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What runs were asked for; none of them finds a slice."""
    asked: list[dict[str, Any]] = []

    def run_here(_settings: object, _name: str, parameters: dict[str, Any]) -> list[Any]:
        asked.append(parameters)
        return []

    monkeypatch.setattr(prefect_runs, "run_here", run_here)
    return asked


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--flow", "predict", "--partition", "0"], "say which with --topic"),
        (["--flow", "predict", "--start", "0"], "say which with --topic"),
        (["--flow", "predict", "--end", "5", "--publish"], "say which with --topic"),
        (["--run", "x", "--topic", "features"], "go with --flow"),
        (["--run", "x", "--partition", "0"], "go with --flow"),
        (["--run", "x", "--start", "0", "--end", "5"], "go with --flow"),
        (["--run", "x", "--flow", "predict"], "say which slices"),
        ([], "say which slices"),
    ],
)
def test_what_would_not_be_looked_at_is_refused(
    asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    """A person who narrows the choice does not mean everything; 0 was given, too."""
    assert main.run(["replay", *options]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert sentence in told
    assert asked == []


def test_a_topic_alone_means_all_of_its_first_partition(asked: list[dict[str, Any]]) -> None:
    """What is not given has a value that narrows nothing but the partition."""
    assert main.run(["replay", "--flow", "predict", "--topic", "features"]) == 0
    assert asked[0]["span"] == {"topic": "features", "partition": 0, "start": 0, "end": 2**62}
    assert main.run(["replay", "--flow", "predict"]) == 0
    assert (asked[1]["flow"], asked[1]["span"]) == ("predict", None)
