"""The shapes of the API's answers, for its OpenAPI document; rows come from the database as they are.

Prices and errors are rupees, dates sessions in Kathmandu, moments UTC. Bodies are not validated on the way
out (350 rows would take 4 ms); the tests do it.
"""

from datetime import date as Date  # noqa: N812  (shapes have a field of that name)
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Shape(BaseModel):
    """The base: nothing but what is declared."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Listing(Shape, Generic[T]):
    """A page of a list; `next` is what `after` has to be for the following one, null at the end."""

    items: list[T]
    next: str | None


class OfSession(Listing[T], Generic[T]):
    """A page about one session, or (`session` null) about one symbol, newest session first."""

    session: Date | None


class SymbolLine(Shape):
    """A symbol with its newest feature vector's session and close."""

    symbol: str
    date: Date
    last_close: float | None
    feature_set: str | None
    revision: int


class Prediction(Shape):
    """A forecast of the close of session `date`, made after session `as_of`."""

    symbol: str
    date: Date
    as_of: Date | None
    predicted_close: float
    last_close: float | None
    expected_move_pct: float | None
    """By how many percent the forecast differs from the last close."""
    low_80: float | None
    high_80: float | None
    low_95: float | None
    high_95: float | None
    width_80_pct: float | None
    """Width of the 80 % interval in percent of the forecast: the narrower, the surer."""
    model_version: str
    revision: int
    timestamp: datetime
    event_id: str
    place: str
    correlation_id: str | None


class Actual(Shape):
    """The close of session `date`, which followed session `previous_date`."""

    symbol: str
    date: Date
    actual_close: float
    previous_date: Date | None
    revision: int
    timestamp: datetime
    event_id: str
    place: str
    correlation_id: str | None


class ErrorLine(Shape):
    """A prediction that met its close: error = predicted - actual."""

    symbol: str
    date: Date
    as_of: Date | None
    predicted: float
    actual: float
    error: float
    abs_error: float
    pct_error: float | None
    baseline_error: float | None
    within_95: bool | None
    model_version: str | None
    revision: int
    timestamp: datetime
    event_id: str
    place: str
    correlation_id: str | None


class Vector(Shape):
    """The newest feature vector of a symbol."""

    date: Date
    feature_set: str | None
    last_close: float | None
    revision: int
    features: dict[str, float | None]


class SymbolPage(Shape):
    """What is known of a symbol now."""

    symbol: str
    vector: Vector | None
    prediction: Prediction | None
    actual: Actual | None
    error: ErrorLine | None
