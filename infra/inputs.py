"""Reading input files from wherever they are: a folder, a file, a pattern, a URL, a bucket (fsspec)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.errors import UsageError
from infra.settings import Settings

READABLE = (".csv", ".parquet")
NOT_PRICES = {"manifest.csv"}


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file's name (for dates and messages) and its bytes."""

    name: str
    content: bytes


def read_inputs(settings: Settings, places: list[str]) -> list[InputFile]:
    """Read every file that the places name, in order of name; a folder stands for all its price files.

    Raises:
        UsageError: a place can't be read, or holds no price file.
    """
    return [file for place in places for file in _read(settings, place)]


def _read(settings: Settings, place: str) -> list[InputFile]:
    import fsspec  # noqa: PLC0415  (a quarter of a second that other commands should not pay)

    try:
        fs, path = fsspec.core.url_to_fs(place, **_options(settings, place))
        names = _names(fs, path)
        return [InputFile(Path(name).name, bytes(fs.cat_file(name))) for name in names]
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        message = f"can't read {place}: {error or type(error).__name__}"
        raise UsageError(message) from error


def _names(fs: Any, path: str) -> list[str]:
    """List the price files at a path, a pattern or below a folder."""
    if "*" in path or "?" in path:
        names = fs.glob(path)
    elif fs.isdir(path):
        names = fs.find(path)
    else:
        return [path]
    names = sorted(n for n in names if n.endswith(READABLE) and Path(n).name not in NOT_PRICES)
    if not names:
        message = f"no price file there ({' or '.join(READABLE)})"
        raise ValueError(message)
    return names


def _options(settings: Settings, place: str) -> dict[str, Any]:
    """Give our own store's keys to s3:// places."""
    if not place.startswith("s3://"):
        return {}
    secret = settings.s3_secret_key.get_secret_value()
    return {"endpoint_url": settings.s3_url, "key": settings.s3_access_key, "secret": secret}
