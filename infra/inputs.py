"""Reading input files from wherever they are: a folder, a file, a pattern, a URL, a bucket, a repository."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from infra.addresses import content, opened
from infra.errors import RejectError
from infra.settings import Settings

READABLE = (".csv", ".parquet")
NOT_PRICES = {"manifest.csv", "adjustments.csv", "companies.csv", "trading_calendar.csv"}

_CHANGED = ("LastModified", "mtime", "modified", "last_modified")
"""What file systems call the time of a file's last change."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file's name (for dates and messages), its bytes, and its path in its file system."""

    name: str
    content: bytes
    path: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that could not be read, and why."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A price file that was not read: its path in its file system, and when it changed if that is told."""

    path: str
    modified: datetime | None

    @property
    def name(self) -> str:
        """The file's name, as an InputFile has it."""
        return _file_name(self.path)


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


def list_files(settings: Settings, place: str) -> list[Listed]:
    """List the price files at a place in order of name, as it is now; none there is no failure.

    Raises:
        RejectError: the place can't be read.
    """
    with _translated(place):
        fs, path = opened(settings, place)
        fs.invalidate_cache()
        return [Listed(name, _modified(told)) for name, told in _found(fs, path).items()]


def read_listed(
    settings: Settings, place: str, files: Iterable[Listed]
) -> tuple[list[InputFile], list[Unreadable]]:
    """Read files that `list_files` found at a place, and tell of those that can't be.

    Raises:
        RejectError: the place can't be reached.
    """
    read: list[InputFile] = []
    unreadable: list[Unreadable] = []
    with _translated(place):
        fs, _ = opened(settings, place)
    for file in files:
        try:
            with _translated(file.name):
                read.append(InputFile(file.name, content(fs, file.path), file.path))
        except RejectError as error:
            unreadable.append(Unreadable(file.name, str(error)))
    return read, unreadable


def _read(settings: Settings, place: str) -> list[InputFile]:
    with _translated(place):
        fs, path = opened(settings, place)
        names = _names(fs, path)
        return [InputFile(_file_name(name), content(fs, name), name) for name in names]


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
    """Name the price files at a path, a pattern or below a folder; or the file that the path is."""
    if _is_file_url(path) or not (_is_pattern(fs, path) or fs.isdir(path)):
        return [path]
    names = list(_found(fs, path))
    if not names:
        message = f"no price file there ({' or '.join(READABLE)})"
        raise ValueError(message)
    return names


def _found(fs: Any, path: str) -> dict[str, dict[str, Any]]:
    """List the price files of a pattern or below a folder, in order, with what their store tells of each."""
    pattern = _is_pattern(fs, path)
    found = fs.glob(path, detail=True) if pattern else fs.find(path, detail=True)
    if not found and not pattern and not fs.exists(path):
        raise FileNotFoundError(path)
    wanted = [name for name in found if name.endswith(READABLE) and _file_name(name) not in NOT_PRICES]
    return {name: found[name] for name in sorted(wanted)}


def _is_pattern(fs: Any, path: str) -> bool:
    return not path.startswith("http") and any(mark in path for mark in "*?[") and not fs.exists(path)


def _modified(told: dict[str, Any]) -> datetime | None:
    """Find out when a file changed; times without a zone are UTC, as S3's and HTTP's are."""
    value = next((told[name] for name in _CHANGED if told.get(name) is not None), None)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None


def _is_file_url(path: str) -> bool:
    """Tell a file on the web from a folder's page by its name: asking would download it once more."""
    return path.startswith(("http://", "https://")) and urlsplit(path).path.endswith(READABLE)


def _file_name(path: str) -> str:
    """Take the last part of a path, without a URL's query and escapes, as text that can be told.

    A local file's name may be any bytes; those that are no UTF-8 are shown by their number.
    """
    name = Path(unquote(urlsplit(path).path) if "://" in path else path).name
    return name.encode(errors="backslashreplace").decode()
