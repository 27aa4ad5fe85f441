"""Reading each symbol's newest feature vector from the read side."""

from typing import Any

from sqlalchemy import Connection, Engine, inspect, select

from infra.database.connection import transaction
from infra.database.tables import latest_features


def vector(engine: Engine, symbol: str) -> dict[str, Any] | None:
    """Read a symbol's row by column name, None if there is none.

    Raises:
        TryAgainError: the database is away.
    """
    with transaction(engine) as connection:
        return newest(connection, symbol) if _is_there(connection) else None


def newest(connection: Connection, symbol: str) -> dict[str, Any] | None:
    """Read as `vector`, in a transaction of one who knows that the read side is there."""
    query = select(latest_features).where(latest_features.c.symbol == symbol)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def symbols(engine: Engine) -> list[str]:
    """List every symbol that has a vector; raises as `vector` does."""
    with transaction(engine) as connection:
        known = (
            connection.execute(select(latest_features.c.symbol)).scalars() if _is_there(connection) else ()
        )
        return list(known)


def _is_there(connection: Connection) -> bool:
    """Tell whether a projector has begun: whoever only looks makes no table."""
    return inspect(connection).has_table(latest_features.name)
