"""Our processes' own log: one JSON object a line on standard error, whatever a library does to logging.

Lines that a run writes say which run, slice and chain of events they belong to. No secret is in any line, nor
in what Prefect shows of a run: each record is cleaned where it is made.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

from infra.secrets import hider
from infra.settings import Settings

OURS = ("nepse", "infra", "tasks", "flows", "sensors", "web")
"""The loggers of our code; Prefect takes the root logger for itself, and shows a terminal nothing of it."""
LIBRARIES = ("prefect", "kafka", "py.warnings")
"""Those that speak in our processes; `prefect` includes what a flow's own logger says."""
WARNERS = (
    "apprise",
    "asyncio",
    "botocore",
    "concurrent",
    "distributed",
    "mlflow",
    "s3fs",
    "sqlalchemy",
    "urllib3",
)
"""Libraries of which only warnings and worse are of use to an operator."""
MOST_CHARACTERS = 100
"""Of a correlation id: a foreign client's may be of any length."""

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)
_log = logging.getLogger("nepse.process")


@contextmanager
def about(**what: str) -> Iterator[None]:
    """Add facts to every line that this thread writes in the block."""
    token = _about.set({**(_about.get() or {}), **what})
    try:
        yield
    finally:
        _about.reset(token)


def correlate(correlation_id: str) -> None:
    """Name the chain of events that the block's work belongs to; outside of a block nothing is named."""
    known = _about.get()
    if known is not None:
        known["correlation_id"] = correlation_id[:MOST_CHARACTERS]


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, without the values of secrets."""

    def __init__(self, process: str, hide: Callable[[str], str] = str) -> None:
        """Remember who speaks, and what nobody may read."""
        super().__init__()
        self._process, self._hide = process, hide

    def format(self, record: logging.LogRecord) -> str:
        """Say when, how grave, who, about what; and where an error came from."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "thread": record.threadName,
            "logger": record.name,
            **_run_of(record),
            **(_about.get() or {}),
            "message": self._hide(record.getMessage()),
        }
        if record.exc_info:
            told["error"] = self._hide(record.exc_text or self.formatException(record.exc_info))
        try:
            return orjson.dumps(told).decode()
        except TypeError:  # half of a surrogate pair, as in the name of a file that is no UTF-8
            return json.dumps(told)


def _run_of(record: logging.LogRecord) -> dict[str, str]:
    """Take the run that Prefect's own loggers name."""
    run_id = getattr(record, "flow_run_id", None)
    return {"run_id": str(run_id)} if run_id and run_id != "<unknown>" else {}


def configure(settings: Settings, process: str, *others: str) -> None:
    """Let our loggers, libraries' and others by name write to standard error from now on."""
    keep_secrets(settings)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process, hider(settings)))
    levels = dict.fromkeys(WARNERS, logging.WARNING) | dict.fromkeys(
        (*OURS, *LIBRARIES, *others), logging.INFO
    )
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _last_words
    threading.excepthook = lambda end: _last_words(end.exc_type, end.exc_value, end.exc_traceback)


def _last_words(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Say in our form what ends a thread, or the process."""
    if error is not None and not issubclass(kind, SystemExit):
        _log.critical("ended by %s", kind.__name__, exc_info=(kind, error, trace))


def keep_secrets(settings: Settings) -> None:
    """Clean every record of this process where it is made, whoever writes it and wherever it goes."""
    logging.setLogRecordFactory(_Clean(hider(settings)))


class _Clean:
    """Makes records whose message and traceback hold no secret."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide

    def __call__(self, *arguments: Any, **more: Any) -> logging.LogRecord:
        """Make a record; one without a secret stays as it is."""
        record = logging.LogRecord(*arguments, **more)
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  (arguments that do not fit, or can't be written)
            text = f"{record.msg!s} (arguments that do not fit it: {len(record.args or ())})"
            record.msg, record.args = text, None
        if (clean := self._hide(text)) != text:
            record.msg, record.args = clean, None
        if record.exc_info and record.exc_info[0]:
            record.exc_text = self._hide(logging.Formatter().formatException(record.exc_info))
        return record
