"""Reading input files from wherever they are: a folder, a file, a pattern, a URL, a bucket (fsspec)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from infra.errors import RejectError
from infra.settings import Settings

READABLE = (".csv", ".parquet")
NOT_PRICES = {"manifest.csv", "adjustments.csv", "companies.csv", "trading_calendar.csv"}
HTTP_SECONDS = 120.0
"""A file that takes longer than this to download is given up."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file's name (for dates and messages) and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that could not be read, and why."""

    place: str
    why: str


def absolute(place: str) -> str:
    """Make a local path independent of the working directory; URLs stay as they are."""
    return place if "://" in place else str(Path(place).expanduser().resolve())


def gather(settings: Settings, places: list[str]) -> tuple[list[InputFile], list[Unreadable]]:
    """Read what can be read of all places, and tell what can't."""
    files: list[InputFile] = []
    unreadable: list[Unreadable] = []
    for place in places:
        try:
            files.extend(_read(settings, place))
        except RejectError as error:
            unreadable.append(Unreadable(place, str(error)))
    return files, unreadable


def read_inputs(settings: Settings, places: list[str]) -> list[InputFile]:
    """Read every file that the places name, in order of name; a folder stands for all its price files.

    Raises:
        RejectError: a place can't be read, or holds no price file.
    """
    return [file for place in places for file in _read(settings, place)]


def _read(settings: Settings, place: str) -> list[InputFile]:
    import fsspec  # noqa: PLC0415  (a quarter of a second that other commands should not pay)

    with _translated(place):
        fs, path = fsspec.core.url_to_fs(place, **_options(settings, place))
        names = _names(fs, path)
        return [InputFile(_file_name(name), bytes(fs.cat_file(name))) for name in names]


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """Turn what the many file systems raise into one sentence."""
    from aiohttp import ClientError  # noqa: PLC0415  (as heavy as fsspec)
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        yield
    except FileNotFoundError as error:
        message = f"can't read {place}: there is no such file"
        raise RejectError(message) from error
    except (OSError, ValueError, ImportError, RuntimeError, ClientError, BotoCoreError) as error:
        message = f"can't read {place}: {error or type(error).__name__}"
        raise RejectError(message) from error


def _names(fs: Any, path: str) -> list[str]:
    """List the price files at a path, a pattern or below a folder."""
    if _is_file_url(path):
        return [path]
    if not path.startswith("http") and any(mark in path for mark in "*?[") and not fs.exists(path):
        names = fs.glob(path)
    elif fs.isdir(path):
        names = fs.find(path)
    else:
        return [path]
    names = sorted(n for n in names if n.endswith(READABLE) and _file_name(n) not in NOT_PRICES)
    if not names:
        message = f"no price file there ({' or '.join(READABLE)})"
        raise ValueError(message)
    return names


def _is_file_url(path: str) -> bool:
    """Tell a file on the web from a folder's page by its name: asking would download it once more."""
    return path.startswith(("http://", "https://")) and urlsplit(path).path.endswith(READABLE)


def _file_name(path: str) -> str:
    """Take the last part of a path, without a URL's query and escapes."""
    return Path(unquote(urlsplit(path).path) if "://" in path else path).name


def _options(settings: Settings, place: str) -> dict[str, Any]:
    """Give our own store's keys to s3:// places, and a bound to downloads."""
    if place.startswith(("http://", "https://")):
        from aiohttp import ClientTimeout  # noqa: PLC0415

        return {"client_kwargs": {"timeout": ClientTimeout(total=HTTP_SECONDS, connect=10)}}
    if not place.startswith("s3://"):
        return {}
    secret = settings.s3_secret_key.get_secret_value()
    return {"endpoint_url": settings.s3_url, "key": settings.s3_access_key, "secret": secret}
