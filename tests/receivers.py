"""Receivers of notifications on this machine: a webhook, and an SMTP server that takes every mail."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """What was posted, and how the next requests are answered (200 when nothing is said)."""

    def __init__(self) -> None:
        """Nothing was posted yet."""
        self.bodies: list[str] = []
        self.answers: list[int] = []
        self.silent = threading.Event()
        """While it is set nobody gets an answer."""
        self.port = 0

    def url(self, **options: object) -> str:
        """Give the Apprise URL."""
        asked = "&".join(f"{name}={value}" for name, value in options.items())
        return f"json://127.0.0.1:{self.port}/hook{'?' if asked else ''}{asked}"

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that were posted, refused ones included."""
        return [body.rsplit("id: ", 1)[-1].strip() for body in self.bodies]


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Receive posts."""
    found, released = Webhook(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.bodies.append(json.loads(body)["message"])
            if found.silent.is_set():
                released.wait(30)
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    with _serving(server):
        yield found
        released.set()


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
        with _serving(server):
            yield server.server_address[1], texts


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
