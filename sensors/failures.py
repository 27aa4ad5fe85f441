"""Whose fault a failure is: the outside world's, somebody newer's, a person's to mend, or the data's.

The adapters name what they know. What comes through unnamed, from any client library, is looked up here: by
names of classes, so that no library is imported for it.
"""

import errno
from collections.abc import Iterator
from enum import Enum

from infra.errors import OutcomeUnknownError, ReplanError, StopError, SupersededError, TryAgainError


class Outcome(Enum):
    """What the sensor has to do next."""

    DONE = "done"
    AGAIN = "again"
    REPLAN = "replan"
    CRASHED = "crashed"
    DATA = "data"
    STOP = "stop"


NAMED: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Outcome], ...] = (
    (StopError, Outcome.STOP),
    ((ReplanError, SupersededError), Outcome.REPLAN),
    ((TryAgainError, OutcomeUnknownError, ConnectionError, TimeoutError), Outcome.AGAIN),
)

AWAY = frozenset(
    {
        "sqlalchemy.OperationalError",
        "sqlalchemy.InterfaceError",
        "sqlalchemy.TimeoutError",
        "psycopg.OperationalError",
        "psycopg.InterfaceError",
        "psycopg.ReadOnlySqlTransaction",
        "botocore.ConnectionError",
        "botocore.HTTPClientError",
        "botocore.NoCredentialsError",
        "aiohttp.ClientConnectionError",
        "aiohttp.ClientPayloadError",
        "aiohttp.ServerDisconnectedError",
        "requests.ConnectionError",
        "requests.Timeout",
        "requests.ChunkedEncodingError",
        "urllib3.HTTPError",
        "urllib.URLError",
        "httpx.TransportError",
        "websockets.WebSocketException",
        "prefect.PrefectHTTPStatusError",
        "prefect.ServerVersionMismatch",
        "kafka.KafkaError",
        "kafka.NoBrokersAvailable",
    }
)
"""Classes, by top package and name, that mean: not reached, or too busy to answer."""

AWAY_NAMES = frozenset(name.rpartition(".")[2] for name in AWAY)
"""The same without their packages: a run elsewhere leaves no more than that."""

BUSY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""Answers of a web server that say: not now."""

MACHINE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EROFS),
        *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN),
    }
)
"""What this machine runs out of, or what its network has lost."""

NO_THREAD = "can't start new thread"
"""How Python tells that the machine has no room for another thread: a RuntimeError without a number."""

TOO_LARGE = frozenset({"kafka.MessageSizeTooLargeError", "kafka.RecordListTooLargeError"})
"""Refusals that no other attempt can change, although they look like the broker's trouble."""

STORE_AWAY = "Generic S3 error"
"""How the Delta library tells it: an OSError without a number."""


def classify(error: BaseException) -> Outcome:
    """Decide by the failure's kind, or by what led to it; what nobody has named is the data's fault."""
    chain = list(chain_of(error))
    if any(_names(one) & TOO_LARGE for one in chain):
        return Outcome.DATA
    return next((found for one in chain if (found := _kind(one))), Outcome.DATA)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Go back from a failure to what it was raised from."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _kind(error: BaseException) -> Outcome | None:
    for classes, outcome in NAMED:
        if isinstance(error, classes):
            return outcome
    away = _names(error) & AWAY or _machine_fails(error) or _status(error) in BUSY_STATUS
    return Outcome.AGAIN if away else None


def _names(error: BaseException) -> set[str]:
    return {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}


def _machine_fails(error: BaseException) -> bool:
    if isinstance(error, RuntimeError):  # every bounded call of a Kafka client starts a thread
        return NO_THREAD in str(error)
    return isinstance(error, OSError) and (error.errno in MACHINE or STORE_AWAY in str(error))


def _status(error: BaseException) -> int | None:
    """Find the status of the answer that a web client raised, wherever it keeps it."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore
        answer = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        answer = getattr(answer, "status_code", None) or getattr(error, "status", None)
    if answer is None and callable(told := getattr(error, "get_http_status_code", None)):  # MLflow
        answer = told()
    return answer if isinstance(answer, int) else None
