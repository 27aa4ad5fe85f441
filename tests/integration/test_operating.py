"""What an operator does by hand on a running stack: dead letters, replays."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from infra.store import Store

pytestmark = pytest.mark.stack
Cli = Callable[..., subprocess.CompletedProcess[str]]

ORPHAN = {
    "event_type": "DataIngested",
    "timestamp": "2022-03-04T10:00:00Z",
    "producer": "elsewhere",
    "payload": {"symbol": "NEPSE", "date": "2022-03-04", "data_location": "s3://nepse-raw/elsewhere.parquet"},
}


def as_json(cli: Cli, stack: Settings, *arguments: str, code: int = 0) -> Any:
    """Run a command with --json and read what it prints."""
    done = cli(*arguments, "--json", "--home", str(stack.home), within=180)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_letter_fails_again_until_its_cause_is_mended(
    stack: Settings, market: Path, produce: Any, read: Any, cli: Cli
) -> None:
    """The object is missing: tried again it fails with one more attempt; once it is there, it is resolved."""
    assert market.is_dir()
    produce("raw-data", ORPHAN)
    name = read("dead-letters", lambda value: json.loads(value) == ORPHAN)["headers"]["letter_id"]
    again = as_json(cli, stack, "dlq", "redrive", "--id", name, code=1)
    assert [(one["outcome"], one["attempts"]) for one in again] == [("failed", 2)]
    assert as_json(cli, stack, "dlq", "show", name)["attempts"] == 2
    store = Store(stack)
    first = min(store.list("s3://nepse-raw/"))
    store.put_new("s3://nepse-raw/elsewhere.parquet", store.get(first))
    mended = as_json(cli, stack, "dlq", "redrive", "--id", name[:12])
    assert [(one["outcome"], one["attempts"]) for one in mended] == [("resolved", 3)]
    read("features", lambda event: event["payload"]["date"] == "2022-03-04")
    assert as_json(cli, stack, "dlq", "redrive", "--id", name) == []
    listed = as_json(cli, stack, "dlq", "list", "--status", "resolved")
    assert name in {one["id"] for one in listed}


@pytest.mark.parametrize(
    "flow", ["compute-features", "predict", "join-errors", "monitor", "schedule-retraining", "watch-drift"]
)
def test_past_slices_replayed_by_the_same_code_are_identical(
    stack: Settings, market: Path, cli: Cli, flow: str
) -> None:
    """With what each run could know then; nothing is published."""
    assert market.is_dir()
    done = as_json(cli, stack, "replay", "--flow", flow)
    assert done
    assert {kind for one in done for kind in one["counts"]} <= {"identical"}
    assert sum(one["published"] for one in done) == 0
