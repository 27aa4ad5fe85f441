"""Reaching Delta tables on S3, and naming the library's failures for the caller's decision."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from infra.errors import ReplanError, StopError, TryAgainError, UsageError
from infra.settings import Settings

_TIMEOUT = "30s"
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|\u21b3")  # colours and arrows of the library's messages


def storage_options(settings: Settings) -> dict[str, str]:
    """Tell the library where the store is, and how long it may wait for it."""
    return {
        "AWS_ENDPOINT_URL": settings.s3_url,
        "AWS_ACCESS_KEY_ID": settings.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key.get_secret_value(),
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "aws_conditional_put": "etag",
        "timeout": _TIMEOUT,
        "connect_timeout": "5s",
        "max_retries": "3",
        "retry_timeout": _TIMEOUT,
    }


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Turn the library's failures into ours."""
    from deltalake.exceptions import CommitFailedError, DeltaProtocolError, SchemaMismatchError  # noqa: PLC0415

    try:
        yield
    except CommitFailedError as error:
        message = f"somebody else committed to {uri} at the same time: {error}"
        raise ReplanError(message) from error
    except (DeltaProtocolError, SchemaMismatchError) as error:
        message = f"the feature table {uri} does not fit this program: {error}"
        raise StopError(message) from error
    except OSError as error:  # the library's way of saying that the store failed
        cause = " ".join(_DECORATION.sub("", str(error)).split())[:500]
        message = f"the object store did not serve {uri}: {cause}"
        raise TryAgainError(message) from error


@contextmanager
def kept(version: int | None) -> Iterator[None]:
    """Read a version that was asked for, or say that maintenance has forgotten it; the newest without one."""
    from deltalake.exceptions import TableNotFoundError  # noqa: PLC0415

    try:
        yield
    except (FileNotFoundError, TableNotFoundError) as error:
        if version is None:
            raise
        message = (
            f"version {version} of the feature table is not kept any more: old versions that no model was"
            " trained on are forgotten ('nepse maintain')"
        )
        raise UsageError(message) from error
