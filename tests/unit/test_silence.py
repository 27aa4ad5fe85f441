"""A database that stands still, as a frozen process does: it takes questions and says nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from infra.bootstrap import Loop
from infra.database import connection, facts, outbox, silence
from infra.database.outbox import Note
from infra.errors import TryAgainError
from infra.settings import load_settings
from tasks.telling import Past

SHORT_SECONDS, TOO_LATE_SECONDS = 0.4, 12.0
"""How long silence is borne here, and when it ends in any case."""
GREETING = b"R\0\0\0\x08\0\0\0\0" + b"S\0\0\0\x19client_encoding\0UTF8\0" + b"Z\0\0\0\x05I"
"""AuthenticationOk, a ParameterStatus and ReadyForQuery, of Postgres's protocol 3."""
ENCRYPTION = 8
"""Bytes of the question for SSL or GSS, to which N is the answer; a login is longer."""
NOTE = Note("e", "hook", "raised", "rule", "text", 1.0, datetime(2024, 3, 4, tzinfo=UTC))


class Frozen:
    """Takes connections, greets where it is to, and answers nothing."""

    def __init__(self, greeting: bytes) -> None:
        """Listen on a free port."""
        self.greeting, self.taken = greeting, list[socket.socket]()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.taken.append(client)
            if self.greeting:
                while len(client.recv(4_096)) == ENCRYPTION:
                    client.sendall(b"N")
                client.sendall(self.greeting)

    def close(self) -> None:
        """Let go of whoever waits."""
        self.server.close()
        for client in self.taken:
            client.close()


@pytest.fixture(params=[GREETING, b""], ids=["after its greeting", "from the first byte on"])
def frozen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Frozen]:
    """A server of the two kinds, and short bounds."""
    monkeypatch.setattr(silence, "SILENT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 2)
    server = Frozen(request.param)
    late = threading.Timer(TOO_LATE_SECONDS, server.close)
    late.start()
    yield server
    late.cancel()
    server.close()


def loop_of(server: Frozen) -> Loop:
    """The adapters of those who don't wait."""
    url = SecretStr(f"postgresql://nepse:x@127.0.0.1:{server.port}")
    return Loop(load_settings(database_url=url)).impatient()


def asked(loop: Loop) -> float:
    """Ask in vain; returns the seconds that it took."""
    began = time.monotonic()
    with pytest.raises(TryAgainError, match="did not answer"):
        facts.reached(loop.database, ["errors"])
    return time.monotonic() - began


def test_a_database_that_says_nothing_counts_as_away(frozen: Frozen) -> None:
    """Soon; and nobody else waits for it, nor is another connection made, until it was left alone a while."""
    loop = loop_of(frozen)
    first, second = asked(loop), asked(loop)
    assert SHORT_SECONDS <= first < 6.0
    assert second < SHORT_SECONDS
    assert len(frozen.taken) == 1


def test_it_is_asked_again_after_a_rest(frozen: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be well by then."""
    monkeypatch.setattr(silence, "REST_SECONDS", 0.0)
    loop = loop_of(frozen)
    asked(loop)
    asked(loop)
    assert len(frozen.taken) == 2


def test_who_tells_does_not_wait_for_who_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next is told past the outbox while the note of the last hangs; both are noted, once."""
    begun, answered, noted = threading.Event(), threading.Event(), list[str]()

    def hangs(_engine: object, note: Note, *_: object) -> None:
        begun.set()
        assert answered.wait(10)
        noted.append(note.event_id)

    monkeypatch.setattr(outbox, "told_past", hangs)
    past, channels, now = Past(), SimpleNamespace(send=lambda *_: None), datetime(2024, 3, 4, tzinfo=UTC)
    told: Any = channels
    past.tell(told, NOTE, now)
    engine: Any = None
    noting = threading.Thread(target=past.note, args=(engine,), daemon=True)
    noting.start()
    assert begun.wait(10)
    telling = threading.Thread(target=past.tell, args=(told, NOTE._replace(event_id="f"), now), daemon=True)
    telling.start()
    telling.join(5)
    assert not telling.is_alive()
    answered.set()
    noting.join(10)
    assert noted == ["e", "f"]
