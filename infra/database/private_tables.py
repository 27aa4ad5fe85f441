"""The tables of the flows' private state: what the join remembers, and windows of past events.

The join's are named by partition: `predictions` and `actuals` are co-partitioned, so a number names both.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB

from infra.database.tables import metadata

PRIVATE = "private"

join_predictions = Table(
    "join_predictions",
    metadata,
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("as_of", Date),
    Column("predicted_close", Double, nullable=False),
    Column("last_close", Double),
    Column("low_95", Double),
    Column("high_95", Double),
    Column("model_version", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("retracted", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("partition", "event_id", "offset"),
    schema=PRIVATE,
)
Index(
    "join_predictions_date", join_predictions.c.partition, join_predictions.c.date, join_predictions.c.symbol
)
Index(
    "join_predictions_link",
    *(join_predictions.c.partition, join_predictions.c.as_of, join_predictions.c.symbol),
    join_predictions.c.date,
)

join_actuals = Table(
    "join_actuals",
    metadata,
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("previous_date", Date),
    Column("actual_close", Double, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("retracted", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("partition", "event_id", "offset"),
    schema=PRIVATE,
)
Index("join_actuals_date", join_actuals.c.partition, join_actuals.c.date, join_actuals.c.symbol)
Index(
    "join_actuals_link",
    *(join_actuals.c.partition, join_actuals.c.previous_date, join_actuals.c.symbol),
    join_actuals.c.date,
)

SIDES = (join_predictions, join_actuals)

join_sessions = Table(
    "join_sessions",
    metadata,
    Column("partition", Integer, primary_key=True),
    Column("date", Date, primary_key=True),
    Column("first_offset", BigInteger, primary_key=True),
    schema=PRIVATE,
)
"""At which offset of `actuals` a session first appeared: the lowest that is not a dead letter's."""

join_reach = Table(
    "join_reach",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("reached", BigInteger, nullable=False),
    Column("witness", Text),
    schema=PRIVATE,
)
"""Up to which offset everything was remembered, and the id of a row that has to be there then."""

window_inputs = Table(
    "window_inputs",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("values", JSONB, nullable=False),
    schema=PRIVATE,
)
Index("window_inputs_date", window_inputs.c.flow, window_inputs.c.date)

claims = Table(
    "claims",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    schema=PRIVATE,
)
"""Events that several partitions may find due at once: where the record lies whose partition was first to."""

seen = Table(
    "seen",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("offset", BigInteger, nullable=False),
    schema=PRIVATE,
)
"""At which offset of a partition a flow was first handed an event."""

refused = Table(
    "refused",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("letter_id", Text, nullable=False),
    Column("letters_from", BigInteger),
    Column("resolved", Boolean, nullable=False, server_default=false()),
    schema=PRIVATE,
)
"""Records that a flow gave up as dead letters: whatever they left in its state does not count.

Where `letters_from` is set that was only intended: the letter, if there is one, lies from that offset on.
`resolved` letters went through since, and no slice has to ask for them any more.
"""
Index(
    "refused_open",
    *(refused.c.flow, refused.c.topic, refused.c.partition),
    postgresql_where=~refused.c.resolved,
)

notes = Table(
    "notes",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("route", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("value", Double),
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("severity", Text),
    Column("message_id", Text),
    schema=PRIVATE,
)
"""What people are to be told, an event about an alert each; `message_id` names the message it went into."""
Index("notes_free", notes.c.route, notes.c.not_before, postgresql_where=notes.c.message_id.is_(None))

messages = Table(
    "messages",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("route", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("channel", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("told_by", Text),
    Column("trouble", Text),
    schema=PRIVATE,
)
"""Messages to people: the text never changes once it is made, so that a second delivery is the same message.

`channel` counts along the route, `tries` on that channel; `told_by` names the channel that took it."""
Index("messages_due", messages.c.due_at, postgresql_where=messages.c.told_by.is_(None))
Index("messages_route", messages.c.route, messages.c.made_at)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("severity", Text, nullable=False),
    Column("over_at", BigInteger),
    schema=PRIVATE,
)
"""Alerts that somebody looks after: since which offset of `alerts`, at which severity, and until which.

A row that is over where it begins says that the alert was over there.
"""

alert_lives = Table(
    "alert_lives",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("life", JSONB, nullable=False),
    schema=PRIVATE,
)
"""What is remembered between looks of each alert whose condition holds."""

alert_news = Table(
    "alert_news",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("event", Text, nullable=False),
    schema=PRIVATE,
)
"""Events about alerts that are not on the topic yet: the broker may be what they are about."""
