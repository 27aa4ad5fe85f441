"""What our processes log: one object a line, and no secret."""

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.kafka.bounded import bounded
from infra.logs import about, configure, correlate, keep_secrets
from infra.secrets import HIDDEN, secrets_of
from infra.settings import Settings, load_settings
from tests.logged import lines, restored


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    with restored():
        yield


def with_secrets(home: Path) -> Settings:
    """Secrets of every kind of setting that has any."""
    return load_settings(
        home,
        s3_secret_key=SecretStr("s3-hush"),
        database_password=SecretStr("pass/hush"),
        api_token=SecretStr("token-hush"),
        database_url=SecretStr("postgresql://nepse:hush%2Fdb@host:5432"),
        notify_urls=[SecretStr("slack://T0000000000/B0000000000/abcdefhushmnopqr")],
        notify_channels={"ops": SecretStr("json://user:hushed@host/hook?key=0123456789hush")},
    )


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


def test_other_libraries_warn_in_our_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And say no more than that: what they do is of no use to an operator."""
    configure(load_settings(tmp_path), "judging")
    for name in ("asyncio", "mlflow.tracking", "urllib3.connectionpool"):
        logging.getLogger(name).info("done")
        logging.getLogger(name).warning("slow")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["logger"], line["message"]) for line in told] == [
        ("asyncio", "slow"),
        ("mlflow.tracking", "slow"),
        ("urllib3.connectionpool", "slow"),
    ]


def test_a_name_that_is_no_text_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file's name may hold bytes that are no UTF-8; the line is not lost."""
    configure(load_settings(tmp_path), "judging")
    logging.getLogger("tasks.reading").warning("%s is refused", os.fsdecode(b"a\xff.csv"))
    assert json.loads(capsys.readouterr().err)["message"] == "a\udcff.csv is refused"


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


@pytest.mark.parametrize(
    "text",
    [
        "s3-hush",
        "Authorization: Bearer token-hush",
        "postgresql+psycopg://nepse:pass%2Fhush@127.0.0.1:5433/nepse",  # as our settings spell it
        "password pass/hush refused",
        "postgresql+psycopg://nepse:hush%2Fdb@host:5432/mlflow",  # another address, the same password
        "password hush/db refused",
        "https://hooks.slack.com/services/T0000000000/B0000000000/abcdefhushmnopqr",
        "POST http://host/hook with user:hushed",
        "GET http://host/hook?key=0123456789hush",
    ],
)
@pytest.mark.parametrize("name", ["nepse.host", "prefect.of_a_flow", "some.library"])
def test_no_secret_is_in_any_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, text: str, name: str
) -> None:
    """Alone or inside of an address, in messages and tracebacks, whoever writes."""
    configure(with_secrets(tmp_path), "telling")
    logging.getLogger(name).error("failed: %s", text, exc_info=ConnectionError(text))
    said = capsys.readouterr().err + caplog.text
    assert "hush" not in said
    assert HIDDEN in said


def test_records_are_clean_for_every_handler(tmp_path: Path) -> None:
    """Also for those that others add, as Prefect does, which shows lines on a run's page."""
    keep_secrets(with_secrets(tmp_path))
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(handler.format(record))  # type: ignore[method-assign]
    logger = logging.getLogger("a.library")
    logger.addHandler(handler)
    logger.error("%s and %s", "token-hush", 1, exc_info=ValueError("token-hush"))
    logger.error("%d records", "token-hush")  # what it is given does not fit
    logger.removeHandler(handler)
    assert len(seen) == 2
    assert seen[0].startswith(f"{HIDDEN} and 1\n")
    assert not any("hush" in line for line in seen)


def test_words_are_not_taken_for_secrets(tmp_path: Path) -> None:
    """Short parts of a channel's address, an access name, a database: a log stays readable."""
    found = secrets_of(with_secrets(tmp_path))
    assert not {"user", "host", "hook", "nepse", "host:5432", ""} & found


def test_lines_of_a_slice_name_its_run_slice_and_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those of the threads that bound its waits on a client; lines before and after it do not."""
    configure(load_settings(tmp_path), "judging")
    log = logging.getLogger("infra.kafka.anything")
    correlate("nobody's")
    log.info("before")
    with about(run_id="r", slice="errors-0[1,2)"):
        correlate("chain" * 100)
        log.info("inside")
        bounded(lambda: log.info("beside"), 5.0, "a wait")
    log.info("after")
    before, inside, beside, after = lines(capsys)
    facts = {"run_id": "r", "slice": "errors-0[1,2)", "correlation_id": "chain" * 20}
    assert facts.items() <= inside.items()
    assert facts.items() <= beside.items()
    assert not facts.keys() & (before.keys() | after.keys())


def test_prefects_lines_are_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same form, with the run that its logger names."""
    configure(load_settings(tmp_path), "forecasting")
    logging.getLogger("prefect.of_a_flow").info("planning again", extra={"flow_run_id": "r1"})
    logging.getLogger("prefect.of_a_flow").info("outside", extra={"flow_run_id": "<unknown>"})
    run, outside = lines(capsys)
    assert (run["run_id"], run["message"], run["logger"]) == ("r1", "planning again", "prefect.of_a_flow")
    assert "run_id" not in outside


def test_last_words_and_warnings_are_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would be printed by Python itself: of a thread that ends, of the process, of a library."""
    configure(load_settings(tmp_path), "web")
    thread = threading.Thread(target=lambda: {}["nothing"], name="idle")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("at last"), None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", UserWarning, stacklevel=1)
    ended, last, warning = lines(capsys)
    assert (ended["level"], ended["message"]) == ("critical", "ended by KeyError")
    assert "ValueError: at last" in last["error"]
    assert "UserWarning: old" in warning["message"]
