"""What our processes log: one object a line, and no secret."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from pydantic import SecretStr

from events.envelope import Event, Metadata, encode
from events.payloads import OffsetRange, PredictionExpired
from infra.kafka.bounded import bounded
from infra.kafka.records import Run
from infra.kafka.work import Work
from infra.logs import LIBRARIES, OURS, about, configure, correlate, keep_secrets
from infra.secrets import HIDDEN, secrets_of
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors import settle
from sensors.diary import Diary
from sensors.dispatch import Result
from sensors.failures import Outcome
from sensors.plan import Patience
from tasks import work
from tasks.work import Account

NOON = datetime(2024, 3, 4, 12, tzinfo=UTC)
EXPIRED = PredictionExpired(symbol="NABIL", date=date(2024, 3, 4), predicted=1.0, sessions_waited=1)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the loggers and the process's hooks as they were."""
    loggers = [logging.getLogger(name) for name in (*OURS, *LIBRARIES)]
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
    """Give what was written since the last look."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


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


def test_a_flow_speaks_of_its_slice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the opening of the slice to its commit: the run, the offsets, the chain of its first event."""
    settings = load_settings(tmp_path)
    configure(settings, "judging")
    ranges = [OffsetRange(topic="errors", partition=0, start=4, end=5)]
    event = Event(NOON, "test", EXPIRED, Metadata("e1", "chain-1"))
    record = SimpleNamespace(
        topic="errors", partition=0, offset=4, timestamp=0, key=b"NABIL", value=encode(event), headers=()
    )

    class Slice(Work):
        """A slice without a broker."""

        done, delay = False, None

        def commit(self, **_: Any) -> None:
            """Say so."""
            logging.getLogger("infra.kafka.slices").info("committed")

    @contextmanager
    def opened(_: Any, run: Run, spans: list[OffsetRange]) -> Iterator[Work]:
        logging.getLogger("infra.kafka.slices").info("opened")
        yield Slice(settings, run, spans, lambda asked: ([record], asked))

    monkeypatch.setattr(work, "open_slice", opened)
    monkeypatch.setattr("infra.kafka.work.partition_of", lambda *_: 0)
    seen = SimpleNamespace(looked_up=[])
    loop: Any = SimpleNamespace(pool=None, as_of=lambda: seen)
    work._one(loop, Run("monitor", "run-1"), ranges, lambda _, given: Account(str(len(given.read()))))
    first, last = lines(capsys)
    assert (first["run_id"], first["slice"]) == ("run-1", "errors-0 [4, 5)")
    assert "correlation_id" not in first
    assert (last["run_id"], last["correlation_id"]) == ("run-1", "chain-1")


def test_a_sensor_says_of_which_run_it_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When a run has failed: its id and its slice, in each line about it."""
    settings = load_settings(tmp_path, instance="one")
    configure(settings, "judging")
    log = logging.getLogger("sensors.settle")
    spot = TopicPartition("errors", 0)
    unit = settle.Work((spot,), Patience(100, 100), taken_up=True)
    unit.ranges = [OffsetRange(topic="errors", partition=0, start=4, end=5)]
    with Diary(settings, "sensor-monitor", log) as diary:
        route = Route("sensor-monitor", "monitor", ("errors",))
        failed = Result(Outcome.AGAIN, "the broker is away", run_id="run-1")
        settle.Settling(settings, route, log, diary).settle(unit, failed)
    [line] = lines(capsys)
    assert (line["run_id"], line["slice"]) == ("run-1", "errors-0 [4, 5)")
    assert "the broker is away" in line["message"]
