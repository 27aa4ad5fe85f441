"""Each alert as its events left it, kept beside them: no reader has to go through what ever happened.

An alert is all events of one id; an older writer gave none, and there each raise stands for itself. The topic
has one partition: a larger offset is later.
"""

from collections.abc import Iterable
from typing import get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Connection,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
)
from sqlalchemy import text as sql

from events.alerts import Severity, rank
from infra.database.tables import metadata

_STATE = """
    CASE WHEN resolved > raised THEN 'resolved'
        WHEN acknowledged > greatest(resolved, graver) THEN 'acknowledged' ELSE 'open' END
"""

alerts_standing = Table(
    "alerts_standing",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("first_raised", DateTime(timezone=True)),
    Column("raised", BigInteger, nullable=False),
    Column("resolved", BigInteger, nullable=False),
    Column("acknowledged", BigInteger, nullable=False),
    Column("graver", BigInteger, nullable=False, server_default="-1"),
    Column("state", Text, Computed(_STATE), nullable=False),
    Column("rule", Text),
    Column("symbol", Text),
    Column("severity", Text),
    Column("historic", Boolean),
)
"""One row an alert, whose newest event is at (partition, offset), raised `times` times.

`raised`, `resolved` and `acknowledged` are the offsets of its newest such event, -1 where there is none.
`graver` is that of a raise since it was acknowledged, at a higher severity than it had then, or at any where
it was over by then: nobody looks after that. What follows is said by its newest raise.
"""
_BY = alerts_standing.c
Index("alerts_standing_raised", _BY.raised)
Index("alerts_standing_state", _BY.historic, _BY.state, _BY.raised)
Index("alerts_standing_rule", _BY.rule, _BY.raised)
Index("alerts_standing_symbol", _BY.symbol, _BY.raised)

_SAID = ("rule", "symbol", "severity", "historic")


def _newest(event_type: str) -> str:
    return f"""coalesce(max("offset") FILTER (WHERE event_type = '{event_type}'), -1)"""


def _later(column: str) -> str:
    return f"CASE WHEN excluded.raised > s.raised THEN excluded.{column} ELSE s.{column} END"


_FOLD = f"""
    INSERT INTO alerts_standing AS s
        (alert_id, partition, "offset", times, first_raised, raised, resolved, acknowledged,
        {", ".join(_SAID)})
    SELECT l.*, a.rule, a.symbol, a.payload ->> 'severity',
        coalesce((a.payload ->> 'historic')::boolean, false)
    FROM (
        SELECT coalesce(alert_id, event_id), 0, max("offset"),
            count(*) FILTER (WHERE event_type = 'AlertRaised'),
            min(timestamp) FILTER (WHERE event_type = 'AlertRaised'),
            {_newest("AlertRaised")} AS raised, {_newest("AlertResolved")}, {_newest("AlertAcknowledged")}
        FROM alerts WHERE partition = 0 AND %s GROUP BY 1
    ) AS l
    LEFT JOIN alerts AS a ON a.partition = 0 AND a."offset" = l.raised
    ON CONFLICT (alert_id) DO UPDATE SET
        "offset" = greatest(s."offset", excluded."offset"), times = s.times + excluded.times,
        first_raised = least(s.first_raised, excluded.first_raised),
        raised = greatest(s.raised, excluded.raised), resolved = greatest(s.resolved, excluded.resolved),
        acknowledged = greatest(s.acknowledged, excluded.acknowledged),
        {", ".join(f"{one} = {_later(one)}" for one in _SAID)}
"""  # noqa: S608  (our own column names)
_RANKS = " ".join(f"WHEN '{one}' THEN {rank(one)}" for one in get_args(Severity))
_RANK = f"CASE payload ->> 'severity' {_RANKS} ELSE {rank(None)} END"
_OVER = rank("info") - 1
_OF_IT = """FROM alerts WHERE partition = 0 AND alert_id = s.alert_id AND "offset" """
_GRAVER = f"""
    UPDATE alerts_standing AS s SET graver = CASE WHEN acknowledged > resolved THEN coalesce((
        SELECT max("offset") {_OF_IT} > s.acknowledged AND event_type = 'AlertRaised' AND {_RANK} > (
            SELECT CASE event_type WHEN 'AlertRaised' THEN {_RANK} ELSE {_OVER} END
            {_OF_IT} < s.acknowledged AND event_type IN ('AlertRaised', 'AlertResolved')
            ORDER BY "offset" DESC LIMIT 1
        )
    ), -1) ELSE -1 END
    WHERE acknowledged >= 0
"""  # noqa: S608  (our own words)
"""Reads what was raised of alerts that somebody looks after, so that it says the same however events came."""
_OF_THESE = """ AND alert_id IN (
    SELECT coalesce(alert_id, event_id) FROM alerts
    WHERE partition = 0 AND "offset" = ANY(CAST(:offsets AS bigint[]))
)"""
_THESE = _FOLD % '"offset" = ANY(CAST(:offsets AS bigint[]))'
_ALL = _FOLD % "NOT EXISTS (SELECT FROM alerts_standing)"


def add(connection: Connection, offsets: Iterable[int]) -> None:
    """Add what the events at these offsets say, each once; those that are not in `alerts` are repeats.

    Call it in the transaction that stored them.
    """
    told = {"offsets": list(offsets)}
    connection.execute(sql(_THESE), told)
    connection.execute(sql(_GRAVER + _OF_THESE), told)


def fill(connection: Connection) -> None:
    """Add every event that is there, where nothing was added yet: to a new table, or one that was emptied."""
    connection.execute(sql(_ALL))
    connection.execute(sql(_GRAVER))
