"""A webhook on this machine that keeps what it is told, and when."""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
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

    def answer(_path: str, body: bytes) -> int:
        found.times.append(time.time())
        found.bodies.append(json.loads(body)["message"])
        if found.silent.is_set():
            found.released.wait(30)
        return found.answers.pop(0) if found.answers else 200

    with posts(answer) as found.port:
        yield found
        found.released.set()


@contextmanager
def posts(answer: Callable[[str, bytes], int], media: str = "text/plain") -> Iterator[int]:
    """Give each post's path and body to `answer`, which says with what status; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(answer(self.path, body))
            self.send_header("content-type", media)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield server.server_address[1]


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
