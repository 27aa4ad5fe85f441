"""Our processes' own log: one JSON object a line on standard error, whatever a library does to logging."""

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson
from pydantic import SecretStr

from infra.settings import Settings

OURS = ("nepse", "infra", "tasks", "flows", "sensors", "web")
"""The loggers of our code; Prefect takes the root logger for itself, and shows a terminal nothing of it."""
HIDDEN = "**********"


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, without the values of secrets."""

    def __init__(self, process: str, secrets: Iterable[str] = ()) -> None:
        """Remember who speaks, and what nobody may read."""
        super().__init__()
        self._process = process
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Say when, how grave, who, what; and where an error came from."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "thread": record.threadName,
            "logger": record.name,
            "message": self._hide(record.getMessage()),
        }
        if record.exc_info:
            told["error"] = self._hide(self.formatException(record.exc_info))
        return orjson.dumps(told).decode()

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def configure(settings: Settings, process: str, *others: str) -> None:
    """Let our loggers, and others by name, write to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process, secrets_of(settings)))
    for name in (*OURS, *others):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)


def secrets_of(settings: Settings) -> set[str]:
    """List the values of all secret settings, alone and in lists and mappings."""
    found: set[str] = set()
    for _, value in settings:
        many = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        found |= {one.get_secret_value() for one in many if isinstance(one, SecretStr)}
    return found
