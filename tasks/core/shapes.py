"""Which table of the read side an event type goes to, and with which columns."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from events import payloads as p
from events.payloads import Payload

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """Which table an event type goes to, and its columns after those that every event has."""

    table: str
    columns: tuple[str, ...]
    values: Callable[[Any], Row]


INDEXED = frozenset({"rule", "alert_id", "model_version", "letter_id"})
"""Columns by which rows are found, and that a writer may fill with any text the contract takes."""
LONGEST_INDEXED = 512
"""Bytes; Postgres refuses an index entry beyond 2,704."""


def indexed(name: str | None) -> str | None:
    """Shorten a name for an index: beyond LONGEST_INDEXED its beginning and its SHA-256 stand for it."""
    if name is None or len(name) * 4 <= LONGEST_INDEXED or len(name.encode()) <= LONGEST_INDEXED:
        return name
    return f"{name[:100]} {sha256(name.encode()).hexdigest()}"


def _fields(*names: str) -> Callable[[Any], tuple[Any, ...]]:
    """Read attributes as a tuple, names by which rows are found bounded."""
    found = [k for k, name in enumerate(names) if name in INDEXED]

    def read(payload: Any) -> tuple[Any, ...]:
        values = [getattr(payload, name) for name in names]
        for k in found:
            values[k] = indexed(values[k])
        return tuple(values)

    return read


def _typed(table: str, *fields: str) -> Shape:
    return Shape(table, fields, _fields(*fields))


def _whole(table: str, *fields: str) -> Shape:
    """A few columns to look things up by, and the whole payload as JSON."""
    values = _fields(*fields)
    return Shape(
        table, (*fields, "event_type", "payload"), lambda x: (*values(x), type(x).__name__, _json(x))
    )


def _json(payload: Payload) -> str:
    return orjson.dumps(payload.model_dump()).decode()


def _prediction(made: p.PredictionMade | p.ShadowPredicted) -> Row:
    low_80, high_80 = made.interval_80 or (None, None)
    low_95, high_95 = made.interval_95 or (None, None)
    return (*_PREDICTION(made), low_80, high_80, low_95, high_95)


_PREDICTION_FIELDS = (
    *("symbol", "date", "predicted_close", "model_version", "as_of", "last_close", "revision", "retracted"),
)
_PREDICTION_COLUMNS = (*_PREDICTION_FIELDS, "low_80", "high_80", "low_95", "high_95")
_PREDICTION = _fields(*_PREDICTION_FIELDS)

_ALERT_FIELDS = ("rule", "alert_id", "symbol", "date", "message")
_ACKNOWLEDGED = _fields("rule", "alert_id")

SHAPES: dict[str, Shape] = {
    "DataIngested": _whole("sessions", "symbol", "date", "data_location", "revision"),
    "DataRetracted": Shape(
        "sessions",
        ("symbol", "date", "data_location", "revision", "event_type", "payload"),
        lambda x: (x.symbol, x.date, x.data_location, None, "DataRetracted", _json(x)),
    ),
    "PredictionMade": Shape("predictions", _PREDICTION_COLUMNS, _prediction),
    "ShadowPredicted": Shape("shadow_predictions", _PREDICTION_COLUMNS, _prediction),
    "ActualAvailable": _typed(
        "actuals", "symbol", "date", "actual_close", "previous_date", "revision", "retracted"
    ),
    "ErrorComputed": _typed(
        "errors",
        *("symbol", "date", "predicted", "actual", "error", "abs_error", "pct_error", "model_version"),
        *("as_of", "baseline_error", "within_95", "revision", "retracted"),
    ),
    "PredictionExpired": _typed(
        "expired", "symbol", "date", "predicted", "sessions_waited", "model_version", "as_of"
    ),
    "ModelRetrainingTriggered": _whole("trainings", "reason", "data_end_date"),
    "ModelTrained": _whole("models", "model_version"),
    "ModelPromoted": _whole("models", "model_version"),
    "AlertRaised": _whole("alerts", *_ALERT_FIELDS),
    "AlertResolved": _whole("alerts", *_ALERT_FIELDS),
    "AlertAcknowledged": Shape(
        "alerts",
        (*_ALERT_FIELDS, "event_type", "payload"),
        lambda x: (*_ACKNOWLEDGED(x), None, None, x.note or "", "AlertAcknowledged", _json(x)),
    ),
    "SliceCommitted": _whole("slices", "flow", "group", "run_id", "attempt"),
    "LetterRetried": _whole("redrives", "letter_id", "attempt"),
    "LetterResolved": _whole("redrives", "letter_id", "attempt"),
}
"""By event type; FeaturesComputed goes to `latest_features`, which keeps one row per symbol."""
