"""The chapter's literal events, sent by the broker's own console producer, lead to what they should."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.stack

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "chapter.jsonl"
EVENTS = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
INGESTED, FEATURES, PREDICTION, ACTUAL, TRIGGER, TRAINED, _, ERROR = EVENTS


def about_nepse(event: dict[str, Any]) -> bool:
    """Tell whether an event is about the chapter's symbol."""
    return bool(event["payload"].get("symbol") == "NEPSE")


def test_data_ingested_without_its_object_becomes_a_dead_letter(produce: Any, read: Any) -> None:
    """The object that the event names does not exist: a dead letter says so, with the bytes as they came."""
    produce("raw-data", INGESTED)
    letter = read("dead-letters", lambda value: json.loads(value) == INGESTED)
    assert letter["headers"]["reason"] == "object s3://nepse-raw/2023-06-01.parquet does not exist"
    assert letter["headers"]["flow"] == "compute-features"


def test_features_become_a_prediction_by_persistence(produce: Any, read: Any) -> None:
    """The chapter's four features and no last close: v0 predicts the first lag, for the session after."""
    produce("features", FEATURES)
    made = read("predictions", lambda e: about_nepse(e) and e["payload"]["model_version"] == "v0")
    payload = made["event"]["payload"]
    assert (payload["predicted_close"], payload["as_of"], payload["date"]) == (
        1250.5,
        "2023-06-01",
        "2023-06-04",
    )
    assert made["key"] == b"NEPSE"


def test_prediction_and_actual_become_error_15_1(produce: Any, read: Any) -> None:
    """Neither carries a key: both are sent on to their symbol's partition, and meet there."""
    produce("actuals", ACTUAL)
    produce("predictions", PREDICTION)
    error = read("errors", about_nepse)["event"]["payload"]
    assert (error["error"], error["abs_error"], error["model_version"]) == (15.1, 15.1, "v2.3.1")


def test_an_error_event_is_monitored(produce: Any, read: Any) -> None:
    """ErrorComputed as the chapter's code writes it, epoch seconds and no key, breaches the rule above 50."""
    breach = {
        **ERROR,
        "payload": {**ERROR["payload"], "date": "2023-06-05", "error": 60.0, "abs_error": 60.0},
    }
    produce("errors", ERROR)
    produce("errors", breach)
    alert = read("alerts", lambda e: about_nepse(e) and e["payload"]["rule"] == "abs_error")
    assert (alert["event"]["payload"]["value"], alert["event"]["payload"]["date"]) == (60.0, "2023-06-05")


def test_a_pickle_is_refused_with_an_alert(produce: Any, read: Any) -> None:
    """ModelTrained that names a .pkl raises an alert, and features go on being predicted."""
    produce("models", TRAINED)
    alert = read("alerts", lambda e: e["payload"]["rule"] == "model_refused")
    assert "pickle" in alert["event"]["payload"]["message"]
    produce("features", {**FEATURES, "payload": {**FEATURES["payload"], "symbol": "STILL"}})
    made = read("predictions", lambda e: e["payload"]["symbol"] == "STILL")
    assert made["event"]["payload"]["model_version"] != "v2.4.0"


def test_a_trigger_becomes_a_training(market: Path, produce: Any, read: Any) -> None:
    """ModelRetrainingTriggered trains on the stored features and ends in ModelTrained."""
    assert market.is_dir()
    produce("training", {**TRIGGER, "payload": {**TRIGGER["payload"], "data_end_date": "2023-06-01"}})
    ours = lambda e: e["payload"]["model_version"] != "v2.4.0"  # noqa: E731
    trained = read("models", ours, 200)["event"]["payload"]
    assert trained["artifact_location"].startswith("s3://nepse-models/")
    assert trained["training_end"] <= "2023-06-01"
    assert {"mae", "rmse"} <= set(trained["performance"]) & set(trained["baseline_performance"])
