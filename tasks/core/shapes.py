"""Which table of the read side an event type goes to, and with which columns."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
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


def _fields(*names: str) -> Callable[[Any], tuple[Any, ...]]:
    """Read attributes as a tuple, also when there is only one (attrgetter would return it bare)."""
    return lambda payload: tuple(getattr(payload, name) for name in names)


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
_PREDICTION = attrgetter(*_PREDICTION_FIELDS)

_ALERT_FIELDS = ("rule", "alert_id", "symbol", "date", "message")

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
        lambda x: (x.rule, x.alert_id, None, None, x.note or "", "AlertAcknowledged", _json(x)),
    ),
    "SliceCommitted": _whole("slices", "flow", "group", "run_id", "attempt"),
    "LetterRetried": _whole("redrives", "letter_id", "attempt"),
    "LetterResolved": _whole("redrives", "letter_id", "attempt"),
}
"""By event type; FeaturesComputed goes to `latest_features`, which keeps one row per symbol."""
