"""What our processes log: one object a line, and no secret."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.logs import HIDDEN, OURS, configure, secrets_of
from infra.settings import load_settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the loggers as they were."""
    before = {name: (logging.getLogger(name).handlers, logging.getLogger(name).propagate) for name in OURS}
    yield
    for name, (handlers, propagate) in before.items():
        logging.getLogger(name).handlers, logging.getLogger(name).propagate = handlers, propagate


def test_a_crash_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its traceback, from any of our packages, even if a library silences the root logger."""
    logging.getLogger().handlers, before = [], logging.getLogger().handlers
    configure(load_settings(tmp_path), "judging")
    try:
        {}["nothing"]
    except KeyError:
        logging.getLogger("nepse.host").exception("%s crashed", "watch")
    logging.getLogger("tasks.watcher").warning("two\nlines")
    logging.getLogger().handlers = before
    crash, warning = map(json.loads, capsys.readouterr().err.splitlines())
    assert (crash["level"], crash["process"], crash["message"]) == ("error", "judging", "watch crashed")
    assert "KeyError: 'nothing'" in crash["error"]
    assert warning["message"] == "two\nlines"
    assert warning["logger"] == "tasks.watcher"


def test_secrets_are_not_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in messages nor in tracebacks, wherever in the settings they are."""
    settings = load_settings(
        tmp_path,
        database_url=SecretStr("postgresql://nepse:hush@host/db"),
        notify_urls=[SecretStr("json://one:hush1@host")],
        notify_channels={"ops": SecretStr("json://two:hush2@host")},
    )
    assert {
        "postgresql://nepse:hush@host/db",
        "json://one:hush1@host",
        "json://two:hush2@host",
    } <= secrets_of(settings)
    configure(settings, "telling")
    error = ConnectionError("no route to json://two:hush2@host")
    logging.getLogger("tasks.x").error("failed at json://one:hush1@host", exc_info=error)
    text = capsys.readouterr().err
    assert "hush" not in text
    assert text.count(HIDDEN) == 2
