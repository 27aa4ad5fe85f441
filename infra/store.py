"""The object store (S3): immutable objects, written once and never changed."""

import errno
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from infra.errors import RejectError, StopError, TryAgainError
from infra.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

CONNECT_SECONDS = 5
READ_SECONDS = 20
ATTEMPTS = 2  # the client's own; whoever called decides about more
PARALLEL = 32  # requests in flight for a batch: 750 objects of 25 kB take 1.3 s up, 2.3 s down on 2 cores
_LONGEST_KEY = 1024  # bytes, the limit of S3
_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/(?P<key>[^/].*)")


class OccupiedError(RejectError):
    """An object of this name exists already with other content."""


class Store:
    """Objects by their URI (`s3://bucket/key`), through s3fs; connects at the first use, safe for threads.

    Neither instances nor listings are cached: what another process wrote is seen at once.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing is contacted yet."""
        self._settings = settings
        self._lock = Lock()
        self._connected: Any = None

    def put_new(self, uri: str, content: bytes) -> bool:
        """Write an object unless it exists; returns False when it was there with the same content.

        Raises:
            OccupiedError: it is there with other content.
            TryAgainError: the store is away.
        """
        with _translated(_checked(uri)):
            try:
                self._fs.pipe_file(uri, content, mode="create")
            except OSError as error:
                if not _is_taken(error):
                    raise
            else:
                return True
        self._assert_same(uri, content)
        return False

    def get(self, uri: str) -> bytes:
        """Read an object.

        Raises:
            RejectError: it does not exist, or `uri` can't be the address of an object.
            TryAgainError: the store is away.
        """
        with _translated(_checked(uri)):
            return bytes(self._fs.cat_file(uri))

    def exists(self, uri: str) -> bool:
        """Tell whether an object exists now."""
        with _translated(_checked(uri)):
            return bool(self._fs.exists(uri))

    def list(self, prefix: str) -> list[str]:
        """List the URIs of all objects below `prefix` (`s3://bucket/folder`), in order of their names."""
        with _translated(prefix):
            return [f"s3://{path}" for path in sorted(self._fs.find(prefix))]

    def put_beside_many(self, objects: Mapping[str, bytes]) -> dict[str, str]:
        """Write objects, one whose name is taken by other content under a name with a digest of its own.

        The name may be taken by what a command stored that was killed before it announced it.

        Returns:
            The URI of each object by the name that it was to have. Raises as `put_new` does.
        """
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="store") as threads:
            return dict(zip(objects, threads.map(self._put_beside, objects, objects.values()), strict=True))

    def _put_beside(self, uri: str, content: bytes) -> str:
        try:
            self.put_new(uri, content)
        except OccupiedError:
            stem, dot, kind = uri.rpartition(".")
            uri = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}{dot}{kind}"
            self.put_new(uri, content)
        return uri

    def get_many(self, uris: Iterable[str]) -> dict[str, bytes]:
        """Do `get` for many objects, `PARALLEL` at a time; raises the first failure."""
        wanted = list(dict.fromkeys(uris))
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="store") as threads:
            return dict(zip(wanted, threads.map(self.get, wanted), strict=True))

    def _assert_same(self, uri: str, content: bytes) -> None:
        if self.get(uri) != content:
            message = f"object {uri} exists already with other content; raw objects are never overwritten"
            raise OccupiedError(message)

    @property
    def _fs(self) -> Any:
        with self._lock:
            if self._connected is None:
                self._connected = _connect(self._settings)
            return self._connected


def to_parquet(frame: "pd.DataFrame") -> bytes:
    """Write a frame as parquet bytes (zstd), without its index; equal frames give equal bytes."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def _connect(settings: Settings) -> Any:
    import s3fs  # noqa: PLC0415  (half a second that the command line should not pay)

    fs = s3fs.S3FileSystem(
        endpoint_url=settings.s3_url,
        key=settings.s3_access_key,
        secret=settings.s3_secret_key.get_secret_value(),
        client_kwargs={"region_name": "us-east-1"},
        config_kwargs={
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"},
            "max_pool_connections": 2 * PARALLEL,
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    fs.retries = ATTEMPTS
    return fs


def _is_taken(error: OSError) -> bool:
    """Tell whether the condition of a put failed: somebody has the name, or is just taking it."""
    answer = getattr(error.__cause__, "response", {})
    return answer.get("Error", {}).get("Code") in {"PreconditionFailed", "ConditionalRequestConflict"}


def _checked(uri: str) -> str:
    """Refuse what can't be an object's address: events of other writers name objects too."""
    found = _URI.fullmatch(uri)
    key = found["key"] if found else ""
    steps = key.split("/")
    if not key.isprintable() or len(key.encode()) > _LONGEST_KEY or {"", ".", ".."} & set(steps):
        message = f"{uri[:200]!a} is not the address of an object: s3://bucket/key is expected"
        raise RejectError(message)
    return uri


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    """Turn the client's failures into ours."""
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        yield
    except FileNotFoundError as error:
        message = f"object {uri} does not exist"
        raise RejectError(message) from error
    except PermissionError as error:
        message = f"the object store refuses access to {uri}: check the S3 keys in the settings ({error})"
        raise StopError(message) from error
    except (OSError, BotoCoreError) as error:
        if getattr(error, "errno", None) in (errno.EINVAL, errno.ENAMETOOLONG):
            message = f"the object store refuses the request for {uri}: {error}"
            raise RejectError(message) from error
        message = f"the object store did not serve {uri}: {error}"
        raise TryAgainError(message) from error
