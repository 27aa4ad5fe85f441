"""What each client library raises when its server is away is an outage, and never the data's fault."""

import asyncio
import errno
import logging
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import aiohttp
import boto3
import httpx
import psycopg
import pytest
import requests
import s3fs
from botocore.config import Config
from deltalake import DeltaTable
from kafka import KafkaConsumer
from kafka.errors import MessageSizeTooLargeError
from mlflow.tracking import MlflowClient
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from sqlalchemy import create_engine

from infra import errors
from sensors.failures import NO_THREAD, Outcome, classify

# Some of these libraries leave the socket of a failed request to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NOBODY = "127.0.0.1:9"
URL = f"http://{NOBODY}"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """The address of a server that has no time: every answer is 503."""

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the base class wants these names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Busy)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def by_sqlalchemy(url: str) -> None:
    """Connect through the pool."""
    create_engine(f"postgresql+psycopg://a@{url.removeprefix('http://')}/x").connect()


def by_psycopg(url: str) -> None:
    """Connect with the driver."""
    psycopg.connect(f"postgresql://a@{url.removeprefix('http://')}/x")


def by_boto3(url: str) -> None:
    """List buckets."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "x"}
    once = Config(retries={"total_max_attempts": 1})
    boto3.client("s3", endpoint_url=url, config=once, **keys).list_buckets()


def by_s3fs(url: str) -> None:
    """Read an object."""
    once = {"retries": {"total_max_attempts": 1}}
    keys = {"key": "a", "secret": "b"}
    fs = s3fs.S3FileSystem(endpoint_url=url, config_kwargs=once, skip_instance_cache=True, **keys)
    fs.retries = 1
    fs.cat_file("bucket/object")


def by_aiohttp(url: str) -> None:
    """Get a page."""

    async def get() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            answer.raise_for_status()

    asyncio.run(get())


def by_requests(url: str) -> None:
    """Get a page."""
    requests.get(url, timeout=5).raise_for_status()


def by_urllib(url: str) -> None:
    """Get a page."""
    urllib.request.urlopen(url, timeout=5)  # noqa: S310


def by_httpx(url: str) -> None:
    """Get a page."""
    httpx.get(url).raise_for_status()


def by_mlflow(url: str) -> None:
    """List experiments."""
    MlflowClient(url).search_experiments()


def by_prefect(url: str) -> None:
    """List runs."""
    with (
        temporary_settings({PREFECT_API_URL: f"{url}/api", PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True) as client,
    ):
        client.read_flow_runs()


def by_kafka(url: str) -> None:
    """Look for the broker."""
    KafkaConsumer(bootstrap_servers=url.removeprefix("http://"), bootstrap_timeout_ms=300)


def by_deltalake(url: str) -> None:
    """Open a table."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "x"}
    options = {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "max_retries": "0", **keys}
    DeltaTable("s3://bucket/table", storage_options=options)


WEB = [by_boto3, by_s3fs, by_aiohttp, by_requests, by_urllib, by_httpx, by_mlflow, by_prefect, by_deltalake]


@pytest.mark.parametrize("ask", [by_sqlalchemy, by_psycopg, by_kafka, *WEB], ids=lambda ask: ask.__name__)
def test_a_server_that_is_away_is_an_outage(
    ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real error of each library, from a port where nobody listens."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, is what is asked
        ask(URL)
    assert classify(caught.value) is Outcome.AGAIN, repr(caught.value)


@pytest.mark.parametrize("ask", WEB, ids=lambda ask: ask.__name__)
def test_a_server_that_is_busy_is_an_outage(
    ask: Callable[[str], None], busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real error of each library after an answer of 503."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, is what is asked
        ask(busy)
    assert classify(caught.value) is Outcome.AGAIN, repr(caught.value)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.TryAgainError("x"), Outcome.AGAIN),
        (errors.OutcomeUnknownError("x"), Outcome.AGAIN),
        (errors.ReplanError("x"), Outcome.REPLAN),
        (errors.SupersededError("x"), Outcome.REPLAN),
        (errors.StopError("x"), Outcome.STOP),
        (errors.RejectError("x"), Outcome.DATA),
        (ConnectionResetError(), Outcome.AGAIN),
        (TimeoutError(), Outcome.AGAIN),
        (OSError(errno.ENOSPC, "disk"), Outcome.AGAIN),
        (OSError(errno.EMFILE, "files"), Outcome.AGAIN),
        (FileNotFoundError(errno.ENOENT, "gone"), Outcome.DATA),
        (KeyError("close"), Outcome.DATA),
        (ZeroDivisionError(), Outcome.DATA),
        (RuntimeError("can't start new thread"), Outcome.AGAIN),
        (RuntimeError("dictionary changed size during iteration"), Outcome.DATA),
        (MemoryError(), Outcome.DATA),
    ],
    ids=repr,
)
def test_the_kind_decides(error: BaseException, outcome: Outcome) -> None:
    """Ours by their names, Python's own by what they mean, all others are taken for the data's fault."""
    assert classify(error) is outcome


THREADS = """
import resource, threading, time
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
try:
    while True:
        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


def test_python_tells_a_lack_of_threads_as_we_expect_it() -> None:
    """A process that really has no room for another one."""
    done = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"RuntimeError {NO_THREAD}\n"


def test_what_led_to_a_failure_counts() -> None:
    """A library that wraps an outage in an error of its own does not hide it."""
    wrapped = ValueError("could not load")
    wrapped.__cause__ = ConnectionRefusedError()
    assert classify(wrapped) is Outcome.AGAIN


def test_a_circle_of_causes_ends() -> None:
    """Errors can be made to cause each other."""
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is Outcome.DATA


def test_a_record_that_is_too_large_for_the_broker_is_not_tried_for_ever() -> None:
    """The transaction's adapter calls every refusal of the broker an outage; this one would never end."""
    failed = errors.TryAgainError("the transaction failed")
    failed.__cause__ = MessageSizeTooLargeError("5 MB")
    assert classify(failed) is Outcome.DATA
