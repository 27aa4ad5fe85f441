"""The operators' commands on a whole stack whose flows, projectors and worker are at work."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.settings import Settings

pytestmark = pytest.mark.stack
Cli = Callable[..., subprocess.CompletedProcess[str]]


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
    listed = cli(
        "tail", "predictions", "--home", str(stack.home), "--from-beginning", "--count", "1", "--json"
    )
    said = json.loads(listed.stdout)["event"]["payload"]
    done = cli("lineage", said["symbol"], said["date"], "--home", str(stack.home))
    assert done.returncode == 0, done.stderr
    for part in (
        "PredictionMade predictions-",
        "from DataIngested raw-data-0@",
        f"{stack.prefect_ui}/runs/",
        "s3://",
    ):
        assert part in done.stdout
