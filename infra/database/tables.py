"""The tables of the read side (`public`), rebuilt from the topics at any time.

A table holds the events of one topic, so (partition, offset) names a record; `event_id` is unique,
of an event delivered twice the lowest (partition, offset) stays. Prices and errors are rupees.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def _of_topic(name: str, *columns: Column[Any], identity: str = "event_id") -> Table:
    """Declare a table of one topic's records: where each lies, what it is called, when it was said."""
    return Table(
        name,
        metadata,
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column(identity, Text, nullable=False),
        Column("timestamp", DateTime(timezone=True), nullable=False),
        *columns,
        PrimaryKeyConstraint("partition", "offset"),
        UniqueConstraint(identity),
    )


def _of_event(name: str, *columns: Column[Any]) -> Table:
    """Declare a table of one event type, with the record that made it happen (null: a foreign event)."""
    return _of_topic(
        name,
        Column("producer", Text, nullable=False),
        Column("cause_topic", Text),
        Column("cause_partition", BigInteger),
        Column("cause_offset", BigInteger),
        Column("correlation_id", Text),
        *columns,
    )


sessions = _of_event(
    "sessions",
    Column("event_type", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False, index=True),
    Column("data_location", Text, nullable=False),
    Column("revision", BigInteger),
    Column("payload", JSONB, nullable=False),
)


def _of_prediction(name: str) -> Table:
    """Declare a table of predictions, found by symbol and date, by date, and by the session before."""
    table = _of_event(
        name,
        Column("symbol", Text, nullable=False),
        Column("date", Date, nullable=False),
        Column("predicted_close", Double, nullable=False),
        Column("model_version", Text, nullable=False),
        Column("as_of", Date),
        Column("last_close", Double),
        Column("low_80", Double),
        Column("high_80", Double),
        Column("low_95", Double),
        Column("high_95", Double),
        Column("revision", BigInteger, nullable=False),
        Column("retracted", Boolean, nullable=False, server_default=false()),
    )
    Index(f"{name}_symbol_date", table.c.symbol, table.c.date)
    Index(f"{name}_date", table.c.date)
    Index(f"{name}_as_of", table.c.as_of)
    return table


predictions = _of_prediction("predictions")
shadow_predictions = _of_prediction("shadow_predictions")
Index("shadow_predictions_model_version_date", shadow_predictions.c.model_version, shadow_predictions.c.date)

actuals = _of_event(
    "actuals",
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("actual_close", Double, nullable=False),
    Column("previous_date", Date),
    Column("revision", BigInteger, nullable=False),
    Column("retracted", Boolean, nullable=False, server_default=false()),
)
Index("actuals_symbol_date", actuals.c.symbol, actuals.c.date)
Index("actuals_date", actuals.c.date)

errors = _of_event(
    "errors",
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("predicted", Double, nullable=False),
    Column("actual", Double, nullable=False),
    Column("error", Double, nullable=False),
    Column("abs_error", Double, nullable=False),
    Column("pct_error", Double),
    Column("model_version", Text),
    Column("as_of", Date),
    Column("baseline_error", Double),
    Column("within_95", Boolean),
    Column("revision", BigInteger, nullable=False),
    Column("retracted", Boolean, nullable=False, server_default=false()),
)
Index("errors_symbol_date", errors.c.symbol, errors.c.date)
Index("errors_date", errors.c.date)
Index("errors_model_version_date", errors.c.model_version, errors.c.date)

expired = _of_event(
    "expired",
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("predicted", Double, nullable=False),
    Column("sessions_waited", BigInteger, nullable=False),
    Column("model_version", Text),
    Column("as_of", Date),
)

trainings = _of_event(
    "trainings",
    Column("event_type", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("data_end_date", Date, nullable=False),
    Column("payload", JSONB, nullable=False),
)

models = _of_event(
    "models",
    Column("event_type", Text, nullable=False),
    Column("model_version", Text, nullable=False, index=True),
    Column("payload", JSONB, nullable=False),
)

alerts = _of_event(
    "alerts",
    Column("event_type", Text, nullable=False),
    Column("rule", Text, nullable=False, index=True),
    Column("alert_id", Text, index=True),
    Column("symbol", Text),
    Column("date", Date),
    Column("message", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
)
Index("alerts_timestamp", alerts.c.timestamp)

slices = _of_event(
    "slices",
    Column("event_type", Text, nullable=False),
    Column("flow", Text, nullable=False, index=True),
    Column("group", Text, nullable=False),
    Column("run_id", Text, nullable=False, index=True),
    Column("attempt", BigInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
)

slice_ranges = Table(
    "slice_ranges",
    metadata,
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("range_id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("made", Boolean, nullable=False),
    Column("topic", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
)
"""Each range of each ledger entry, which lies at (partition, offset): read, or `made`."""
Index(
    "slice_ranges_spot",
    *(slice_ranges.c.flow, slice_ranges.c.made, slice_ranges.c.topic, slice_ranges.c.number),
    *(slice_ranges.c.start, slice_ranges.c.offset),
)

redrives = _of_event(
    "redrives",
    Column("event_type", Text, nullable=False),
    Column("letter_id", Text, nullable=False, index=True),
    Column("attempt", BigInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
)

dead_letters = _of_topic(
    "dead_letters",
    Column("flow", Text, index=True),
    Column("reason", Text),
    Column("error_class", Text),
    Column("source_topic", Text),
    Column("source_partition", BigInteger),
    Column("source_offset", BigInteger),
    Column("run_id", Text),
    Column("size", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    identity="letter_id",
)
Index("dead_letters_timestamp", dead_letters.c.timestamp)

latest_features = Table(
    "latest_features",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("date", Date, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("timestamp", DateTime(timezone=True), nullable=False),
    Column("feature_set", Text),
    Column("last_close", Double),
    Column("retracted", Boolean, nullable=False, server_default=false()),
    Column("features", JSONB, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("projector", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
