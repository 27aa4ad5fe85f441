"""A lineage as plain data: what is told of each event, and how a run and a model are addressed."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from urllib.parse import quote

from events.envelope import Event, derive_id
from events.payloads import Payload
from tasks.core.naming import unknown

Node = dict[str, Any]

TOLD: dict[str, tuple[str, ...]] = {
    "DataIngested": ("date", "data_location", "revision", "row_count", "rejected_rows", "source"),
    "DataRetracted": ("date", "data_location", "reason"),
    "FeaturesComputed": ("symbol", "date", "feature_set", "last_close", "revision"),
    "PredictionMade": ("symbol", "date", "as_of", "predicted_close", "model_version", "revision"),
    "ActualAvailable": ("symbol", "date", "actual_close", "previous_date", "revision"),
    "ErrorComputed": ("date", "predicted", "actual", "error", "pct_error", "baseline_error", "revision"),
    "PredictionExpired": ("date", "predicted", "sessions_waited", "as_of", "model_version"),
    "ModelTrained": ("model_version", "training_start", "training_end", "data_version", "promoted", "why"),
    "ModelPromoted": ("model_version", "previous_version", "reason"),
}
"""Which fields of an event a lineage tells."""


def node(event: Event[Payload], place: str) -> Node:
    """Tell of an event what it is, where it lies, when it was said and by whom."""
    payload = event.payload.model_dump(mode="json")
    return {
        "event": event.event_type,
        "place": place,
        "event_id": event.id,
        "timestamp": event.timestamp.isoformat(timespec="milliseconds"),
        "producer": event.producer,
        "facts": {
            name: payload[name] for name in TOLD.get(event.event_type, ()) if payload[name] is not None
        },
    }


def is_error_of(error: Event[Any], prediction: Event[Any], actual_id: str) -> bool:
    """Tell whether the join made this error of this prediction: its id says so."""
    return error.id == derive_id("join-errors", actual_id, prediction.id, error.payload.revision)


def expiry_id(prediction_id: str) -> str:
    """Name the event that says that nothing met a prediction."""
    return derive_id("join-errors", prediction_id, "expired")


def run_url(ui: str, run_id: str) -> str:
    """Address a run's page in the Prefect UI."""
    return f"{ui}/runs/flow-run/{quote(run_id, safe='')}"


def model_url(ui: str, model: str, version: str) -> str | None:
    """Address a version's page in MLflow; versions are named `v` and a number, `v0` is none of MLflow's."""
    number = version.removeprefix("v")
    if not number.isdigit() or number == "0":
        return None
    return f"{ui}/#/models/{quote(model, safe='')}/versions/{number}"


def unknown_symbol(symbol: str, known: Iterable[str]) -> str:
    """Explain a symbol that nobody knows, with names that look alike."""
    return unknown("symbol", symbol, known) or "nothing was predicted or closed yet: ingest prices first"


def unknown_date(symbol: str, day: date, nearest: Iterable[date]) -> str:
    """Explain a session that nothing is known of, with those that are nearest."""
    return f"nothing is known of {symbol} on {day}; the nearest dates are {', '.join(map(str, nearest))}"


def behind(positions: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]) -> dict[str, int]:
    """Count by topic the offsets that the read side has not seen."""
    missing: dict[str, int] = {}
    for (topic, partition), end in ends.items():
        if (lag := end - positions.get((topic, partition), 0)) > 0:
            missing[topic] = missing.get(topic, 0) + lag
    return missing
