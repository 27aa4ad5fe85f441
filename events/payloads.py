"""What each event says: the chapter's fields first, then ours, which are optional with defaults.

A payload is frozen. Unknown fields are dropped, never refused, so that an older reader survives a newer
writer. Prices and errors are rupees of the day unless a field says otherwise; dates are trading sessions.
"""

from typing import ClassVar

from pydantic import Field

from events.alerts import AlertAcknowledged, AlertRaised, AlertResolved
from events.fields import Count, Flag, Number, Payload, SessionDate, Symbol, Text
from events.models import ModelPromoted, ModelRetrainingTriggered, ModelTrained, ShadowPredicted
from events.operations import LetterResolved, LetterRetried, OffsetRange, SliceCommitted

__all__ = [
    "PAYLOADS",
    "ActualAvailable",
    "AlertAcknowledged",
    "AlertRaised",
    "AlertResolved",
    "DataIngested",
    "DataRetracted",
    "ErrorComputed",
    "FeaturesComputed",
    "LetterResolved",
    "LetterRetried",
    "ModelPromoted",
    "ModelRetrainingTriggered",
    "ModelTrained",
    "OffsetRange",
    "Payload",
    "PredictionExpired",
    "PredictionMade",
    "ShadowPredicted",
    "SliceCommitted",
]


class DataIngested(Payload):
    """A session's prices of the whole market arrived and lie, immutable, at `data_location`."""

    schema_version: ClassVar[int] = 2
    symbol: Symbol
    date: SessionDate
    data_location: Text
    row_count: Count | None = None
    content_hash: Text | None = None
    """Digest of (symbol, close, volume, turnover), by which a stale repeat is recognised."""
    revision: Count = 0
    rejected_rows: Count = 0
    previous_date: SessionDate | None = None
    source: Text | None = None
    named: SessionDate | None = None
    """The day that the file was named for, or the date that its rows carried."""
    dated: Flag = False
    """The rows carried their date, so that `named` is no guess."""
    rejected_by: dict[str, Count] = Field(default={})
    """Rejected rows by reason code."""
    doubled_rows: Count = 0
    quarantine: Text | None = None
    """Where the rejected rows lie."""
    adjustments: dict[str, Number] = Field(default={})
    """By symbol, the factor that makes closes before this session comparable with those from it on."""


class DataRetracted(Payload):
    """An earlier DataIngested turned out not to be a session of its own: its rows are those of `repeats`."""

    symbol: Symbol
    date: SessionDate
    data_location: Text
    reason: Text
    repeats: SessionDate | None = None


class FeaturesComputed(Payload):
    """The feature vector of a symbol after the close of session `date` (event-carried state transfer)."""

    schema_version: ClassVar[int] = 2
    symbol: Symbol
    date: SessionDate
    features: dict[str, Number | None]
    feature_set: Text | None = None
    last_close: Number | None = None
    revision: Count = 0
    retracted: Flag = False
    """The session turned out to be none, or not this one: earlier revisions no longer count."""


class PredictionMade(Payload):
    """A forecast of the close of session `date`, made from features of session `as_of`."""

    schema_version: ClassVar[int] = 2
    symbol: Symbol
    date: SessionDate
    predicted_close: Number
    model_version: Text
    features_used: list[Text] = Field(default=[])
    as_of: SessionDate | None = None
    last_close: Number | None = None
    interval_80: tuple[Number, Number] | None = None
    interval_95: tuple[Number, Number] | None = None
    revision: Count = 0
    retracted: Flag = False
    """What it was made from was retracted: earlier revisions no longer count."""


class ActualAvailable(Payload):
    """The close of session `date` became known; `previous_date` is the market's session before it."""

    schema_version: ClassVar[int] = 2
    symbol: Symbol
    date: SessionDate
    actual_close: Number
    previous_date: SessionDate | None = None
    revision: Count = 0
    retracted: Flag = False
    """The session was not held on this day, or did not follow `previous_date`."""


class ErrorComputed(Payload):
    """A prediction met its actual: error = predicted - actual, in rupees; pct_error in percent of actual."""

    schema_version: ClassVar[int] = 2
    symbol: Symbol
    date: SessionDate
    predicted: Number
    actual: Number
    error: Number
    abs_error: Number
    pct_error: Number | None = None
    model_version: Text | None = None
    as_of: SessionDate | None = None
    baseline_error: Number | None = None
    """The error that persistence (the last close) made on the same day."""
    within_95: Flag | None = None
    revision: Count = 0
    retracted: Flag = False
    """One of its sides was retracted: earlier revisions no longer count."""


class PredictionExpired(Payload):
    """No actual ever met this prediction within `sessions_waited` sessions."""

    symbol: Symbol
    date: SessionDate
    predicted: Number
    sessions_waited: Count
    model_version: Text | None = None
    as_of: SessionDate | None = None


PAYLOADS: dict[str, type[Payload]] = {
    payload.__name__: payload
    for payload in (
        DataIngested,
        DataRetracted,
        FeaturesComputed,
        PredictionMade,
        ShadowPredicted,
        ActualAvailable,
        ErrorComputed,
        PredictionExpired,
        ModelRetrainingTriggered,
        ModelTrained,
        ModelPromoted,
        AlertRaised,
        AlertResolved,
        AlertAcknowledged,
        SliceCommitted,
        LetterRetried,
        LetterResolved,
    )
}
"""Every event type by its name on the wire."""
