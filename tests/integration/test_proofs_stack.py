"""The operators' commands on a whole stack whose flows, projectors and worker are at work."""

import json
import subprocess
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings

pytestmark = pytest.mark.stack
Cli = Callable[..., subprocess.CompletedProcess[str]]
SECONDS = 60.0
_NOTHING: dict[str, Any] = {"place": ""}


def test_the_loop_reconciles(stack: Settings, market: Path, cli: Cli) -> None:
    """What runs left on the topics is accounted for, also while they go on."""
    done = cli("reconcile", "--home", str(stack.home), "--json", within=200)
    report = json.loads(done.stdout)
    assert [f for f in report["findings"] if f["serious"]] == []
    assert (done.returncode, report["sound"]) == (0, True), done.stderr
    computed = next(a for a in report["accounts"] if a["flow"] == "compute-features")
    assert computed["published"] >= len(list(market.glob("daily/*")))


def test_projections_are_rebuilt_beside_the_loop(stack: Settings, market: Path, cli: Cli) -> None:
    """The read side and the feature table come out as they were, and a lineage is told from them."""
    assert market.exists()
    done = cli("rebuild", "--home", str(stack.home), "--features", "--yes", "--json", within=200)
    assert done.returncode == 0, done.stderr
    rows = {table["table"]: table["rows_after"] for table in json.loads(done.stdout)["tables"]}
    assert rows["feature table"] > 1_000
    assert rows["predictions"] > 1_000


def test_a_lineage_is_a_tree_for_people(stack: Settings, market: Path, cli: Cli) -> None:
    """Places, the run's page and the raw file are in it."""
    assert market.exists()
    said = _predicted(stack, cli)
    done = cli("lineage", said["symbol"], said["date"], "--home", str(stack.home))
    assert done.returncode == 0, done.stderr
    for part in (
        "PredictionMade predictions-",
        "from DataIngested raw-data-0@",
        f"{stack.prefect_ui}/runs/",
        "s3://",
    ):
        assert part in done.stdout


def test_features_are_those_of_the_topic_whichever_store_is_asked(
    stack: Settings, market: Path, cli: Cli
) -> None:
    """The read side's newest vector is the feature table's of that day; an earlier day has an earlier one."""
    assert market.exists()
    home = ("--home", str(stack.home))
    symbol = _predicted(stack, cli)["symbol"]
    newest, stored, deadline = _NOTHING, _NOTHING | {"place": "none"}, time.monotonic() + SECONDS
    while (
        stored["place"] != newest["place"] and time.monotonic() < deadline
    ):  # two projectors, each in its time
        newest = _vector(cli("features", symbol, *home, "--json"))
        stored = _vector(cli("features", symbol, *home, "--as-of", newest["session"], "--json"))
    session = newest["session"]
    assert (stored["place"], stored["event_id"]) == (newest["place"], newest["event_id"])
    # the table has a column for every feature of any event
    known = [{n: x for n, x in one["features"].items() if x is not None} for one in (stored, newest)]
    assert known[0] == known[1] != {}
    before = str(date.fromisoformat(session) - timedelta(1))
    assert _vector(cli("features", symbol, *home, "--as-of", before, "--json"))["session"] < session
    done = cli("features", "N0BODY", *home)
    assert (done.returncode, "no symbol 'N0BODY'" in done.stderr) == (1, True)


def _predicted(stack: Settings, cli: Cli) -> dict[str, Any]:
    """Take a prediction of a share: other tests predict the market by foreign events."""
    home = ("--home", str(stack.home))
    listed = cli("tail", "predictions", *home, "--from-beginning", "--count", "200", "--json")
    said = (json.loads(line)["event"]["payload"] for line in listed.stdout.splitlines())
    found: dict[str, Any] = next(one for one in said if one["symbol"] != "NEPSE" and one["model_version"])
    return found


def _vector(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
