"""A database that says nothing (not: that is gone) counts as away after some seconds.

The server's own time-outs run in the process that stands still, and the kernel of a stopped process goes on
acknowledging what it is sent: only the client can give up on it.
"""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import ConnectionTimeout
from sqlalchemy import Engine, event

SILENT_SECONDS = 8.0
"""How long no byte may come of an answer."""
REST_SECONDS = 10.0
"""How long nobody asks after that: of many questions one waits, not each of them."""


class SilentError(psycopg.OperationalError):
    """The server said nothing for too long."""


class HeardConnection(psycopg.Connection[Any]):
    """A connection that is closed where an answer does not come; what became of the question is not known."""

    on_silence: Callable[[], None] | None = None

    def wait(self, gen: PQGen[RV], *how: Any, **named: Any) -> RV:
        """Wait for an answer as psycopg does, which has no bound of its own; raises SilentError."""
        try:
            return super().wait(_heard(gen), *how, **named)
        except SilentError:
            self.close()
            if self.on_silence:
                self.on_silence()
            raise


def _heard(asked: PQGen[RV]) -> PQGen[RV]:
    """Hand on whatever psycopg and its question say to each other, unless nothing comes for too long."""
    heard = time.monotonic()
    try:
        wanted = next(asked)
        while True:
            ready = yield wanted
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_SECONDS:
                message = f"no answer within {SILENT_SECONDS:g} s"
                raise SilentError(message)
            wanted = asked.send(ready)
    except StopIteration as end:
        answer: RV = end.value
        return answer


class Rest:
    """Until when the connections of an engine leave the server alone, since it just said nothing."""

    def __init__(self) -> None:
        """Nobody has waited in vain yet."""
        self._until = 0.0

    def begin(self) -> None:
        """Leave it alone from now on, for some seconds."""
        self._until = time.monotonic() + REST_SECONDS

    def connect(
        self, _dialect: object, _record: object, about: list[Any], named: dict[str, Any]
    ) -> HeardConnection:
        """Connect, as SQLAlchemy's event `do_connect`; raises SilentError while it is left alone."""
        if time.monotonic() < self._until:
            message = f"not asked now: it said nothing less than {REST_SECONDS:g} s ago"
            raise SilentError(message)
        try:
            made = HeardConnection.connect(*about, **named)
        except ConnectionTimeout:
            self.begin()
            raise
        made.on_silence = self.begin
        return made


def bounded(engine: Engine) -> Engine:
    """Let every wait of an engine's connections have an end."""
    event.listen(engine, "do_connect", Rest().connect)
    return engine
