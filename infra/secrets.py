"""Values that nobody may read in a log: all secret settings, and what of them other addresses are made of."""

from collections.abc import Callable, Iterator
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

from infra.settings import Settings

HIDDEN = "**********"
SHORTEST_PASSWORD, SHORTEST_TOKEN = 4, 12
"""Characters; what is shorter is more likely a word, and hiding it would make a log unreadable."""


def secrets_of(settings: Settings) -> set[str]:
    """List the values of all secret settings, alone and in lists and mappings, and the secrets in URLs."""
    found: set[str] = set()
    for _, value in settings:
        many = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        found |= {one.get_secret_value() for one in many if isinstance(one, SecretStr)}
    inside = {part for whole in found for part in _inside(whole)}
    return {spelt for one in found | inside if one for spelt in (one, unquote(one), quote(one, safe=""))}


def hider(settings: Settings) -> Callable[[str], str]:
    """Make a function that takes every secret out of a text."""
    longest_first = sorted(secrets_of(settings), key=lambda secret: (-len(secret), secret))

    def hide(text: str) -> str:
        for secret in longest_first:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    return hide


def _inside(url: str) -> Iterator[str]:
    """Find what of a URL is secret: its password, and what looks like a token in it."""
    if "://" not in url:
        return
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL after all; the whole of it is hidden
        return
    if len(parts.password or "") >= SHORTEST_PASSWORD:
        yield str(parts.password)
    if not parts.scheme.startswith("postgres"):
        yield from (part for part in _tokens(parts) if len(part) >= SHORTEST_TOKEN)


def _tokens(parts: SplitResult) -> Iterator[str]:
    """List where services are told who speaks: user, path and query; or the host, where it is no address."""
    host = parts.netloc.rpartition("@")[2].partition(":")[0]
    yield from ((parts.username or ""), *parts.path.split("/"))
    yield from (value for _, value in parse_qsl(parts.query))
    if "." not in host:
        yield host
