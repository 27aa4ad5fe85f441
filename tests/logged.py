"""Logging that a test configures as our processes do, and leaves as it was."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.logs import LIBRARIES, OURS, WARNERS


@contextmanager
def restored() -> Iterator[None]:
    """Leave the loggers and the process's hooks as they were."""
    loggers = [logging.getLogger(name) for name in (*OURS, *LIBRARIES, *WARNERS)]
    before = [(one, one.handlers, one.propagate, one.level) for one in loggers]
    hooks, make = (sys.excepthook, threading.excepthook), logging.getLogRecordFactory()
    yield
    logging.captureWarnings(capture=False)
    logging.setLogRecordFactory(make)
    sys.excepthook, threading.excepthook = hooks
    for logger, handlers, propagate, level in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Give what our processes' handlers wrote since the last look; clients of other tests write no JSON."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
