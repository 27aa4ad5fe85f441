"""Connections to Postgres: pooled, bounded, and their failures named for the caller's decision."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.errors import ProgramLimitExceeded, UndefinedColumn, UndefinedTable
from sqlalchemy import Connection, Engine, create_engine, exc, text
from sqlalchemy.schema import CreateSchema

from infra.database import alerts_standing, letters_standing, older_shapes, silence
from infra.database.planning import keep_no_statistics
from infra.database.private_tables import PRIVATE
from infra.database.tables import metadata
from infra.errors import TryAgainError
from infra.settings import Settings

DATABASE = "nepse"
CONNECT_SECONDS = 5
POOL_SECONDS = 10
_OPTIONS = (
    "-c statement_timeout=60s -c lock_timeout=15s -c idle_in_transaction_session_timeout=300s -c timezone=UTC"
    " -c jit=off"  # compiling costs more than our statements last
)
_READING = (
    "-c default_transaction_read_only=on -c statement_timeout=2s -c lock_timeout=1s"
    " -c timezone=UTC -c jit=off"
)
_WATCHING = (
    "-c statement_timeout=5s -c lock_timeout=3s -c idle_in_transaction_session_timeout=300s -c timezone=UTC"
    " -c jit=off"
)
_SILENT = (
    *(exc.OperationalError, exc.InterfaceError, exc.TimeoutError),
    *(psycopg.OperationalError, psycopg.InterfaceError),
)
_CREATING = 7_100_312  # any number that nobody else uses for an advisory lock in this database


def engine(settings: Settings) -> Engine:
    """Hand out this process's pool for the settings' database; connects at the first use."""
    return _engine(settings.postgres(DATABASE), "nepse", _OPTIONS)


def reading_engine(settings: Settings) -> Engine:
    """Hand out this process's pool for those who only read: the server refuses whatever would write."""
    return _engine(settings.postgres(DATABASE), "nepse-web", _READING)


def watching_engine(settings: Settings) -> Engine:
    """Hand out this process's pool for those who go on without a database that says nothing.

    Everything else waits for it, as there is nothing else to do; who tells people of it can't.
    """
    return _heard_engine(settings.postgres(DATABASE))


@cache
def _heard_engine(url: str) -> Engine:
    return silence.bounded(_engine(url, "nepse-watch", _WATCHING))


@cache
def _engine(url: str, name: str, options: str) -> Engine:
    return create_engine(
        url,
        pool_size=8,
        max_overflow=8,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,  # a failing statement's rows do not belong in logs
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": name,
            "options": options,
            "tcp_user_timeout": 30_000,  # milliseconds until a silent server counts as gone
        },
    )


def create(settings: Settings) -> None:
    """Create what is missing, also instead of what is older; of several processes one waits for the other."""
    with translated(), engine(settings).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATING})
        connection.execute(CreateSchema(PRIVATE, if_not_exists=True))
        older_shapes.widen(connection)
        older_shapes.give_way(connection)
        metadata.create_all(connection)
        keep_no_statistics(connection)
        alerts_standing.fill(connection)
        letters_standing.fill(connection)


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Reach through to psycopg, for COPY; still inside SQLAlchemy's transaction."""
    found = connection.connection.driver_connection
    if not isinstance(found, psycopg.Connection):
        message = f"COPY needs psycopg, this connection is a {type(found).__name__}"
        raise TypeError(message)
    return found


@contextmanager
def transaction(where: Connection | Engine) -> Iterator[Connection]:
    """Join the transaction of a connection, or open one of an engine and commit it at the end.

    Raises:
        TryAgainError: the database is away or busy.
    """
    with translated():
        if isinstance(where, Connection):
            yield where
        else:
            with where.begin() as connection:
                yield connection


@contextmanager
def reading(where: Connection | Engine) -> Iterator[Connection]:
    """Join or open a transaction on the read side for those who only look, and make no table.

    Raises:
        TryAgainError: the database is away or busy, or nothing was ever projected into it.
    """
    try:
        with transaction(where) as connection:
            yield connection
    except exc.ProgrammingError as error:
        if not isinstance(error.orig, (UndefinedTable, UndefinedColumn)):
            raise
        message = f"the read side is not there (yet): a projector makes it ({_first_line(error.orig)})"
        raise TryAgainError(message) from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn "the database is away, or busy" into TryAgainError; other faults pass as they are."""
    try:
        yield
    except _SILENT as error:
        cause = getattr(error, "orig", None) or error  # SQLAlchemy's errors name the driver's
        if isinstance(cause, ProgramLimitExceeded):
            raise  # a value that no index takes: it never will
        message = f"the database did not answer: {_first_line(cause)}"
        raise TryAgainError(message) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
