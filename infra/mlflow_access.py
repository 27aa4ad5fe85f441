"""MLflow's client with bounded waits, and its errors in our words."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from infra.errors import RejectError, TryAgainError

REQUEST_SECONDS, RETRIES = 10, 2
OURS_TO_MEND = frozenset(
    {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"}
)


@cache
def client(url: str) -> Any:
    """Return a client of the server at `url`; the first call imports MLflow (2 s)."""
    os.environ.update(
        MLFLOW_HTTP_REQUEST_TIMEOUT=str(REQUEST_SECONDS),  # MLflow's own defaults wait for many minutes
        MLFLOW_HTTP_REQUEST_MAX_RETRIES=str(RETRIES),
        MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="1",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",  # MLflow's own loader runs nobody's code
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_CONFIGURE_LOGGING="false",  # what it says goes through our own log
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
    )
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    return MlflowClient(tracking_uri=url, registry_uri=url)


def error_code(error: Exception) -> str:
    """Name of MLflow's error code; INTERNAL_ERROR when the server was not reached."""
    return str(getattr(error, "error_code", "INTERNAL_ERROR"))


@contextmanager
def guarded(doing: str) -> Iterator[None]:
    """Translate MLflow's failures while `doing` something.

    Raises:
        RejectError: the server understood and says that it is impossible.
        TryAgainError: the server is away, busy or broken.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    try:
        yield
    except MlflowException as error:
        kind = RejectError if error_code(error) in OURS_TO_MEND else TryAgainError
        message = f"MLflow could not {doing}: {str(error).splitlines()[0][:300]}"
        raise kind(message) from error
    except RequestException as error:
        message = f"MLflow could not {doing}: {type(error).__name__}"
        raise TryAgainError(message) from error


def found(find: Callable[[], Any]) -> Any:
    """Return what `find` finds, None when the server says that there is no such thing."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        return find()
    except MlflowException as error:
        if error_code(error) != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def made(create: Callable[[], Any], find: Callable[[], Any]) -> Any:
    """Find something by its name, made before if it was not there; a faster neighbour may make it."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    if (present := find()) is not None:
        return present
    try:
        create()
    except MlflowException as error:
        if error_code(error) != "RESOURCE_ALREADY_EXISTS":
            raise
    return find()


def put(write: Callable[[], Any]) -> None:
    """Write a row that a neighbour may be inserting too: the second attempt finds it there and updates."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        write()
    except MlflowException as error:
        if "UniqueViolation" not in str(error):  # MLflow passes the database's own message on
            raise
        write()
