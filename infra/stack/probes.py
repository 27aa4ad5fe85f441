"""Questions that a server answers only when it is ready."""

import json
import socket
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

from infra.errors import TryAgainError

ANSWER_SECONDS = 5.0


def get_json(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """GET a JSON answer, or POST `body` for one.

    Raises:
        TryAgainError: no answer within 5 s, or one that says no.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)  # noqa: S310
    # The addresses are this machine's or an operator's: a proxy for the outside must not get them.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        message = f"{url} answers {error.code} {error.reason}"
        raise TryAgainError(message) from error
    except (OSError, ValueError) as error:
        message = f"{url} does not answer: {error}"
        raise TryAgainError(message) from error


def delete(url: str) -> None:
    """Send a DELETE; raises as `get_json` does."""
    get_json(url, method="DELETE")


def answers(bootstrap: str) -> None:
    """Open a connection to one of several addresses, `host:port,host:port`.

    Raises:
        TryAgainError: nobody listens on any of them.
    """
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        with suppress(TryAgainError):
            return connects(host, int(port))
    message = f"nothing listens on {bootstrap}"
    raise TryAgainError(message)


def connects(host: str, port: int) -> None:
    """Open a connection and close it.

    Raises:
        TryAgainError: nobody listens.
    """
    try:
        socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        message = f"nothing listens on {host}:{port}"
        raise TryAgainError(message) from error
