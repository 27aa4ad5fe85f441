"""A webhook on this machine that keeps what it is told, and when."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """What was posted, and how the next requests are answered (200 when nothing is said)."""

    def __init__(self) -> None:
        """Nothing was posted yet."""
        self.bodies: list[str] = []
        self.times: list[float] = []
        """When each was posted, seconds since 1970."""
        self.answers: list[int] = []
        self.silent = threading.Event()
        """While it is set nobody gets an answer, until `released` is."""
        self.released = threading.Event()
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
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.times.append(time.time())
            found.bodies.append(json.loads(body)["message"])
            if found.silent.is_set():
                found.released.wait(30)
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    with serving(server):
        yield found
        found.released.set()


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Let a server answer in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
