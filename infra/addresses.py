"""Where files may lie: what an address means, and how its store is reached (fsspec)."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from infra.errors import RejectError
from infra.settings import Settings

HTTP_SECONDS = 120.0
"""A file that takes longer than this to download is given up."""

GITHUB_FILES = "https://raw.githubusercontent.com"
"""Serves a public repository's files; GitHub's API would answer 60 questions an hour."""

_OPTIONS = re.compile(r"\?(?=(?:anon|profile|endpoint|region)(?:=|&|$))")
"""Begins the options of an s3:// address; any other question mark is part of a pattern."""


def absolute(place: str) -> str:
    """Make a local path independent of the working directory; URLs stay as they are."""
    return place if "://" in place else str(Path(place).expanduser().resolve())


def opened(settings: Settings, place: str) -> tuple[Any, str]:
    """Give the file system of a place, and the place's path there.

    `s3://bucket/path` is in the stack's own store. Elsewhere is what says so: `?anon` reads a public bucket
    without any key, `?profile=NAME` with the keys of a profile in ~/.aws; `endpoint` and `region` say where.

    Raises:
        RejectError: an s3:// address has options that do not say how to sign.
        Exception: what the many file systems raise.
    """
    import fsspec  # noqa: PLC0415  (a quarter of a second that other commands should not pay)

    address, *said = _OPTIONS.split(place, maxsplit=1) if place.startswith("s3://") else [place]
    options = _elsewhere(place, said[0]) if said else _options(settings, place)
    fs, path = fsspec.core.url_to_fs(address, **options)
    return fs, path


def content(fs: Any, name: str) -> bytes:
    """Read a file of a file system that `opened` gave; raises what file systems raise."""
    if "github" in _protocols(fs):
        import fsspec  # noqa: PLC0415

        url = f"{GITHUB_FILES}/{fs.org}/{fs.repo}/{fs.root}/{quote(name)}"
        return bytes(fsspec.filesystem("http", **_bounded()).cat_file(url))
    return bytes(fs.cat_file(name))


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _elsewhere(place: str, said: str) -> dict[str, Any]:
    """Reach a bucket that is not ours; our own keys never go there."""
    given = dict(parse_qsl(said, keep_blank_values=True))
    unknown = sorted(set(given) - {"anon", "profile", "endpoint", "region"})
    if unknown or ("anon" in given) == ("profile" in given):
        message = f"{place} needs ?anon or ?profile=NAME, and may have endpoint=URL and region=NAME"
        raise RejectError(message)
    options: dict[str, Any] = {"profile": given["profile"]} if "profile" in given else {"anon": True}
    if "endpoint" in given:
        options["endpoint_url"] = given["endpoint"]
    if "region" in given:
        options["client_kwargs"] = {"region_name": given["region"]}
    return options


def _options(settings: Settings, place: str) -> dict[str, Any]:
    """Give our own store's keys to s3:// places, and a bound to downloads."""
    if urlsplit(place).scheme in {"http", "https"}:
        return _bounded()
    if not place.startswith("s3://"):
        return {}
    secret = settings.s3_secret_key.get_secret_value()
    return {"endpoint_url": settings.s3_url, "key": settings.s3_access_key, "secret": secret}


def _bounded() -> dict[str, Any]:
    from aiohttp import ClientTimeout  # noqa: PLC0415  (as heavy as fsspec)

    return {"client_kwargs": {"timeout": ClientTimeout(total=HTTP_SECONDS, connect=10)}}
