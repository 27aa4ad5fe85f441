"""What tests of the API let the read side hold: events, the rows they become, and what each path answers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from events.payloads import (
    ActualAvailable,
    AlertRaised,
    ErrorComputed,
    FeaturesComputed,
    ModelTrained,
    OffsetRange,
    Payload,
    PredictionMade,
    SliceCommitted,
)
from tasks.core.projection import COLUMNS, project
from tests.reading_side import Record, event
from web import shapes, shapes_models, shapes_operations

DAY, BEFORE = date(2024, 3, 4), date(2024, 3, 3)
NOW = datetime(2024, 3, 4, tzinfo=UTC)
HOSTILE = '<img src=x onerror="alert(1)">\u202e'

ANSWERS: list[tuple[str, Any]] = [
    ("symbols", shapes.Listing[shapes.SymbolLine]),
    ("sessions", shapes.Listing[date]),
    ("symbols/NABIL", shapes.SymbolPage),
    ("predictions", shapes.OfSession[shapes.Prediction]),
    ("predictions?symbol=NABIL&from=2024-01-01&to=2024-12-31", shapes.OfSession[shapes.Prediction]),
    ("actuals?date=2024-03-04", shapes.OfSession[shapes.Actual]),
    ("actuals?symbol=NABIL", shapes.OfSession[shapes.Actual]),
    ("errors?limit=1", shapes.OfSession[shapes.ErrorLine]),
    ("models", shapes.Listing[shapes_models.Model]),
    ("models/v1", shapes_models.Model),
    ("models/v1/skill", shapes_models.Skill),
    ("leaderboard", shapes_models.Leaderboard),
    ("leaderboard?by=model&sessions=5", shapes_models.Leaderboard),
    ("pipeline", shapes_operations.Pipeline),
    ("health", shapes_operations.Health),
    ("letters", shapes.Listing[shapes_operations.Letter]),
    ("letters/l0", shapes_operations.WholeLetter),
    ("alerts", shapes.Listing[shapes_operations.Alert]),
    ("alerts?state=open&severity=warning", shapes.Listing[shapes_operations.Alert]),
    ("alerts/a1", shapes_operations.Alert),
]
"""Every path that answers with rows, and the shape that it declares."""


def predicted(symbol: str, as_of: date, close: float, **more: Any) -> PredictionMade:
    """What was said about the day after."""
    known = {"model_version": "v1", "last_close": 500.0, "as_of": as_of, "date": as_of + timedelta(1)} | more
    return PredictionMade(symbol=symbol, predicted_close=close, **known)


def closed(symbol: str, day: date, close: float) -> ActualAvailable:
    """A close, after that of the day before."""
    return ActualAvailable(symbol=symbol, date=day, actual_close=close, previous_date=day - timedelta(1))


def erred(symbol: str, day: date, error: float, **more: Any) -> ErrorComputed:
    """An error beside persistence's, which is twice as large."""
    known = {
        "model_version": "v1",
        "as_of": day - timedelta(1),
        "baseline_error": 2 * error,
        "predicted": 1.0,
        "actual": 1.0,
    } | more
    return ErrorComputed(symbol=symbol, date=day, error=error, abs_error=abs(error), **known)


def raised(alert_id: str | None, **more: Any) -> AlertRaised:
    """An alert of one rule."""
    known = {"rule": "absolute_error", "severity": "warning", "message": "m", "value": 60.0} | more
    return AlertRaised(alert_id=alert_id, **known)


def trained(version: str = "v1", **more: Any) -> ModelTrained:
    """A version that serves since it was trained."""
    known = {"promoted": True, "training_end": date(2024, 3, 1), "performance": {"mape": 1.5}} | more
    return ModelTrained(model_version=version, features_used=[], artifact_location="s3://m", **known)


def vector(symbol: str, day: date) -> FeaturesComputed:
    """A feature vector, of which one value is not known."""
    known = {"feature_set": "2", "last_close": 505.0}
    return FeaturesComputed(symbol=symbol, date=day, features={"RSI": 55.0, "ATR": None}, **known)


def committed(start: int, end: int, made: int) -> SliceCommitted:
    """A slice of predict."""
    read = OffsetRange(topic="features", partition=1, start=start, end=end)
    outputs = [OffsetRange(topic="predictions", partition=1, start=made, end=made + end - start)]
    return SliceCommitted(flow="predict", group="predict", ranges=[read], run_id=f"r{start}", outputs=outputs)


def letter(offset: int, flow: str = "predict", reason: str = "first") -> Record:
    """A dead letter."""
    told = {"letter_id": f"l{offset}", "flow": flow, "reason": reason, "source_topic": "features"}
    headers = tuple((name, value.encode()) for name, value in told.items())
    return Record("dead-letters", 0, offset, b"\x00raw", b"k", headers=headers)


def row(topic: str, payload: Payload) -> dict[str, Any]:
    """What the read side holds of an event, by column name."""
    ((table, found),) = project([Record(topic, 1, 12, event(payload))]).rows.items()
    (values,) = found.values()
    return dict(zip(COLUMNS[table], values, strict=True))


PREDICTION = row(
    "predictions",
    predicted("NABIL", BEFORE, 510.0, interval_80=(500.0, 520.0), interval_95=(490.0, 530.0)),
)
ACTUAL = row("actuals", closed("NABIL", DAY, 505.0))
ERROR = row("errors", erred("NABIL", DAY, 5.0, predicted=510.0, actual=505.0, within_95=True))
VECTOR = row("features", vector("NABIL", DAY)) | {"features": {"RSI": 55.0, "ATR": None}}
TRAINED = row("models", trained()) | {"payload": trained().model_dump(mode="json")}

LETTER = {
    "letter_id": "l0",
    "flow": "predict",
    "reason": HOSTILE,
    "error_class": "RejectError",
    "offset": 4,
    "source_topic": "features",
    "source_partition": 0,
    "source_offset": 7,
    "run_id": "r",
    "timestamp": NOW,
    "size": 3,
    "attempts": 1,
    "resolved": False,
}
"""A line of `infra.database.reads.letters`."""
ALERT = {
    "alert_id": "a1",
    "rule": "absolute_error",
    "state": "open",
    "severity": "warning",
    "message": HOSTILE,
    "symbol": "NABIL",
    "date": DAY,
    "value": 60.0,
    "threshold": 50.0,
    "unit": "NPR",
    "labels": {},
    "runbook": None,
    "historic": False,
    "times": 2,
    "first_raised": NOW,
    "last_raised": NOW,
    "resolved_at": None,
    "acknowledged_by": None,
    "note": None,
    "correlation_id": "c",
    "raised_offset": 9,
}
"""A line of `infra.database.reads.alerts`."""
