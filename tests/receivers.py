"""Receivers of notifications on this machine: a webhook, and an SMTP server that takes every mail."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes

from bench.receiver import Webhook, serving, webhook

__all__ = ["Webhook", "mailbox", "webhook"]


@contextmanager
def mailbox() -> Iterator[tuple[int, list[str]]]:
    """Receive mail; gives the port, and the texts as they come."""
    texts: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            for line in iter(self.rfile.readline, b""):
                word = line[:4].upper()
                if word == b"DATA":
                    self._say("354 go on")
                    texts.append(self._mail())
                elif word == b"QUIT":
                    self._say("221 bye")
                    return
                self._say("250 fine")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def _mail(self) -> str:
            lines = list(iter(self.rfile.readline, b".\r\n"))
            mail = message_from_bytes(b"".join(lines))
            parts = [part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()]
            return "\n".join(part.decode() for part in parts if isinstance(part, bytes))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        with serving(server):
            yield server.server_address[1], texts
