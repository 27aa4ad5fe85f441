"""The half of the checker that computes again: clean on what is right, and it finds each thing planted."""

import ast
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from botocore.exceptions import ClientError

from tests.faults import checker, journal, recompute
from tests.faults.checker import Finding
from tests.faults.journal import Journal, Place, Record

DAYS = [f"2024-01-{day:02d}" for day in range(1, 6)]
AFTER = 5
OURS = {"events", "flows", "infra", "sensors", "tasks"}
RAW = pd.DataFrame({"symbol": ["A"], "close": [11.0], "volume": [5.0], "turnover": [55.0]})


def record(topic: str, offset: int, kind: str, payload: dict[str, Any], cause: Place | None = None) -> Record:
    """Make a record as a reader would hand it over."""
    producers = {"predictions": "predict", "errors": "join-errors", "models": "retrain"}
    made = Record(Place(topic, 0, offset), payload.get("symbol", "A").encode(), b"")
    metadata: dict[str, Any] = {"event_id": f"{topic}-{offset}"}
    if cause:
        metadata["causation"] = cause._asdict()
    producer = producers.get(topic, "ingest")
    made.__dict__["event"] = {
        "event_type": kind,
        "producer": producer,
        "payload": payload,
        "metadata": metadata,
    }
    return made


def a_journal() -> Journal:
    """Make predictions for two sessions of which one is met and one expires, and all that follows."""
    predicted = {"symbol": "A", "predicted_close": 12.0, "model_version": "v0", "revision": 0}
    made = [
        {**predicted, "date": DAYS[0], "as_of": "2023-12-31", "last_close": 10.0, "interval_95": [9.0, 12.0]},
        {**predicted, "date": "2023-12-01", "as_of": "2023-11-30", "last_close": 12.0, "interval_95": None},
    ]
    vectors = [{"symbol": "A", "date": p["as_of"], "last_close": 12.0, "features": {}} for p in made]
    actual = {"symbol": "A", "actual_close": 11.0, "revision": 0, "previous_date": None}
    error = {
        "symbol": "A",
        "date": DAYS[0],
        "predicted": 12.0,
        "actual": 11.0,
        "error": 1.0,
        "abs_error": 1.0,
    }
    error |= {"pct_error": 9.090909, "model_version": "v0", "as_of": "2023-12-31", "baseline_error": -1.0}
    error |= {"within_95": True, "revision": 0, "retracted": False}
    gone = {"symbol": "A", "date": "2023-12-01"}
    models = {
        "model_version": "v1",
        "triggers": ["training-0"],
        "artifact_location": "s3://m/1",
        "artifact_sha256": _sha(b"model"),
    }
    place = Place
    topics = {
        "raw-data": [record("raw-data", n, "DataIngested", _raw(day)) for n, day in enumerate(DAYS)],
        "features": [record("features", n, "FeaturesComputed", v) for n, v in enumerate(vectors)],
        "predictions": [
            record("predictions", n, "PredictionMade", p, place("features", 0, n)) for n, p in enumerate(made)
        ],
        "actuals": [
            record("actuals", n, "ActualAvailable", {**actual, "date": day}) for n, day in enumerate(DAYS)
        ],
        "errors": [
            record("errors", 0, "ErrorComputed", error, place("actuals", 0, 0)),
            record("errors", 1, "PredictionExpired", gone, place("predictions", 0, 1)),
        ],
        "training": [record("training", 0, "ModelRetrainingTriggered", {"reason": "x"})],
        "models": [record("models", 0, "ModelTrained", models)],
    }
    return Journal(topics, topics, {}, {})


def _raw(day: str) -> dict[str, Any]:
    digest = _sha(b"A\t11.0\t5.0\t55.0\n")
    return {"symbol": "NEPSE", "date": day, "data_location": "s3://raw/1", "content_hash": digest}


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetched(location: str) -> bytes:
    """Give an object of the store."""
    if location == "s3://m/1":
        return b"model"
    if location != "s3://raw/1":
        raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
    target = io.BytesIO()
    RAW.to_parquet(target)
    return target.getvalue()


def everything(told: Journal) -> Iterator[Finding]:
    """Compute all of it once more."""
    yield from recompute.errors(told)
    yield from recompute.expiries(told, AFTER)
    yield from recompute.predictions(told, fetched)
    yield from recompute.answers(told)
    yield from recompute.objects(told, fetched)
    yield from recompute.acknowledged(told, [(day, {"A": 11.0}) for day in DAYS])


def changed(topic: str, offset: int, **fields: Any) -> Callable[[Journal], Journal]:
    """Change fields of a payload."""

    def change(told: Journal) -> Journal:
        told.committed[topic][offset].payload.update(fields)
        return told

    return change


def without(topic: str, offset: int) -> Callable[[Journal], Journal]:
    """Take a record away."""
    return lambda told: told.without(frozenset({Place(topic, 0, offset)}))


def twice(topic: str, offset: int) -> Callable[[Journal], Journal]:
    """Add a record once more, at another place and under another name."""

    def add(told: Journal) -> Journal:
        same = told.committed[topic][offset]
        more = record(topic, 99, same.kind, dict(same.payload), same.cause)
        return replace(told, committed=told.committed | {topic: [*told.committed[topic], more]})

    return add


def test_what_is_right_is_clean() -> None:
    """Nothing is found where nothing is wrong."""
    assert list(everything(a_journal())) == []


PLANTED: dict[str, tuple[Callable[[Journal], Journal], str]] = {
    "a lost error": (without("errors", 0), "lost"),
    "a doubled error": (twice("errors", 0), "duplicated"),
    "a wrong percentage": (changed("errors", 0, pct_error=9.0), "lost"),
    "a wrong baseline": (changed("errors", 0, baseline_error=0.0), "lost"),
    "a wrong band": (changed("errors", 0, within_95=False), "lost"),
    "a lost expiry": (without("errors", 1), "lost"),
    "a doubled expiry": (twice("errors", 1), "duplicated"),
    "an expiry too soon": (without("actuals", 4), "duplicated"),
    "a wrong prediction": (changed("predictions", 1, predicted_close=12.5), "wrong"),
    "a lost training": (without("models", 0), "lost"),
    "a training twice": (twice("models", 0), "duplicated"),
    "a raw object that is gone": (changed("raw-data", 0, data_location="s3://raw/2"), "missing"),
    "a raw object that changed": (changed("raw-data", 0, content_hash="0" * 64), "wrong"),
    "a model that changed": (changed("models", 0, artifact_sha256="0" * 64), "wrong"),
    "a lost session": (without("raw-data", 0), "lost"),
    "a lost close": (without("actuals", 0), "lost"),
}


@pytest.mark.parametrize(("plant", "kind"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_is_found(plant: Callable[[Journal], Journal], kind: str) -> None:
    """By the name of what it is."""
    assert kind in {finding.kind for finding in everything(plant(a_journal()))}


def test_a_window_without_a_previous_close_is_not_compared() -> None:
    """The exchange leaves it out now and then: nobody knows whether it adjusted something."""
    told = pd.DataFrame({"symbol": ["A", "B"], "close": [10.1, 10.1], "prev_close": [10.0, pd.NA]})
    rows = recompute._rows(told.astype({"prev_close": "Float64"}))
    assert recompute._plain([(10.0, 10.0), rows["A"]])
    assert not recompute._plain([(10.0, 10.0), rows["B"]])


@pytest.mark.parametrize("module", [checker, journal, recompute])
def test_the_checker_shares_no_code_with_the_system(module: Any) -> None:
    """A fault of the system can't be a fault of its judge."""
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} & OURS == set()
