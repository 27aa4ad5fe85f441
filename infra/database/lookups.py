"""Looking up in the read side where the records of a lineage lie."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Engine, text

from infra.database.connection import reading
from infra.kafka.records import Place

_PREDICTIONS = """
    SELECT 'predictions', partition, "offset" FROM predictions
    WHERE symbol = :symbol AND (date = :day OR as_of = :day
        OR as_of IN (SELECT as_of FROM errors WHERE symbol = :symbol AND date = :day))
    ORDER BY as_of, revision, partition, "offset"
"""
_ERRORS = """
    SELECT 'errors', partition, "offset" FROM errors
    WHERE symbol = :symbol AND (date = :day OR as_of = :day)
    ORDER BY date, revision, partition, "offset"
"""
_EXPIRED = """SELECT 'errors', partition, "offset" FROM expired WHERE event_id = :id"""
_SESSIONS = """SELECT 'raw-data', partition, "offset" FROM sessions WHERE date = :day ORDER BY "offset" """
_SESSION_OF = """SELECT 'raw-data', partition, "offset" FROM sessions WHERE event_id = :id"""
_ACTUALS = """
    SELECT 'actuals', partition, "offset" FROM actuals WHERE symbol = :symbol AND date = :day
    ORDER BY revision, partition, "offset"
"""
_MODELS = (
    """SELECT 'models', partition, "offset" FROM models WHERE model_version = :version ORDER BY "offset" """
)
# the nearest start comes first: read backwards, the index finds the range in its first entry or two
_SLICE = """
    SELECT 'slices', partition, "offset" FROM slice_ranges
    WHERE flow = :flow AND made = :made AND topic = :topic AND number = :number
        AND start <= :at AND "end" > :at
    ORDER BY start DESC, "offset" DESC LIMIT 1
"""
_LETTERS = """
    SELECT 'dead-letters', l.partition, l."offset" FROM dead_letters AS l
    WHERE l.key = :key OR EXISTS (
        SELECT FROM unnest(CAST(:topics AS text[]), CAST(:numbers AS bigint[]), CAST(:offsets AS bigint[]))
            AS p (topic, number, at)
        WHERE p.topic = l.source_topic AND p.number = l.source_partition AND p.at = l.source_offset)
    ORDER BY l.timestamp
"""
_SYMBOLS = "SELECT symbol FROM actuals UNION SELECT symbol FROM predictions"
_DATES = """
    SELECT date FROM (SELECT date FROM actuals WHERE symbol = :symbol
        UNION SELECT date FROM predictions WHERE symbol = :symbol
        UNION SELECT as_of FROM predictions WHERE symbol = :symbol AND as_of IS NOT NULL) AS d
    ORDER BY abs(date - CAST(:day AS date)), date LIMIT :most
"""


class Lookups:
    """Places by what is asked of them; the topics hold the truth.

    Every method raises TryAgainError where the database is away.
    """

    def __init__(self, engine: Engine) -> None:
        """Nothing is asked yet."""
        self._engine = engine

    def _rows(self, query: str, **values: Any) -> list[Any]:
        with reading(self._engine) as connection:
            return list(connection.execute(text(query), values))

    def _places(self, query: str, **values: Any) -> list[Place]:
        return [Place(*row) for row in self._rows(query, **values)]

    def predictions(self, symbol: str, day: date) -> list[Place]:
        """Find what was predicted about a session, and what was predicted from it."""
        return self._places(_PREDICTIONS, symbol=symbol, day=day)

    def errors(self, symbol: str, day: date) -> list[Place]:
        """Find the errors of predictions about a session or from it."""
        return self._places(_ERRORS, symbol=symbol, day=day)

    def expired(self, event_id: str) -> list[Place]:
        """Find a PredictionExpired by its id."""
        return self._places(_EXPIRED, id=event_id)

    def actuals(self, symbol: str, day: date) -> list[Place]:
        """Find the closes of a session, all revisions."""
        return self._places(_ACTUALS, symbol=symbol, day=day)

    def sessions(self, day: date) -> list[Place]:
        """Find what was announced of a session."""
        return self._places(_SESSIONS, day=day)

    def session_of(self, event_id: str) -> list[Place]:
        """Find an announcement by its id."""
        return self._places(_SESSION_OF, id=event_id)

    def models(self, version: str) -> list[Place]:
        """Find what was said of a model version."""
        return self._places(_MODELS, version=version)

    def slice_of(self, flow: str, places: Iterable[Place]) -> Place | None:
        """Find the newest slice of a flow that holds one of these inputs."""
        found = [
            row
            for p in places
            for row in self._places(
                _SLICE, flow=flow, made=False, topic=p.topic, number=p.partition, at=p.offset
            )
        ]
        return max(found, default=None)

    def made_by(self, flow: str, place: Place) -> Place | None:
        """Find the slice of a flow among whose outputs a record lies."""
        topic, number, at = place
        found = self._places(_SLICE, flow=flow, made=True, topic=topic, number=number, at=at)
        return found[0] if found else None

    def letters(self, symbol: str, places: Iterable[Place]) -> list[Place]:
        """Find the dead letters of records at these places, and of records with this key."""
        known = list(places)
        columns = {
            "topics": [p.topic for p in known],
            "numbers": [p.partition for p in known],
            "offsets": [p.offset for p in known],
        }
        return self._places(_LETTERS, key=symbol.encode(), **columns)

    def symbols(self) -> list[str]:
        """List every symbol that has a close or a prediction."""
        return [row[0] for row in self._rows(_SYMBOLS)]

    def nearest_dates(self, symbol: str, day: date, most: int = 3) -> list[date]:
        """Find the known dates of a symbol that are nearest to a day."""
        return sorted(row[0] for row in self._rows(_DATES, symbol=symbol, day=day, most=most))
