"""What the commands share: the global options, the settings, and how output looks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from infra.errors import TryAgainError, UsageError

if TYPE_CHECKING:  # pydantic takes 0.3 s to import, which `--help` need not wait for
    from infra.settings import Settings

__all__ = [
    "AsJson",
    "Home",
    "err",
    "escape",
    "home_of",
    "listens",
    "out",
    "plain",
    "print_json",
    "reachable",
    "readable",
    "settings_of",
]

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", help="State folder of the stack; default .nepse, or NEPSE_HOME.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]

out = Console()
err = Console(stderr=True)


def home_of(context: typer.Context, home: Path | None) -> Path:
    """Choose the folder: the command's own `--home`, else the one before the command, else the setting."""
    from infra.settings import Settings  # noqa: PLC0415

    with readable():
        return home or context.find_root().params.get("home") or Settings().home


def settings_of(context: typer.Context, home: Path | None, **overrides: Any) -> "Settings":
    """Read the settings of the stack that the options name."""
    from infra.settings import load_settings  # noqa: PLC0415

    with readable():
        return load_settings(home_of(context, home), **overrides)


@contextmanager
def readable() -> Iterator[None]:
    """Turn a setting out of its bounds into a sentence that names it.

    Raises:
        UsageError: a setting can't be what it is.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        yield
    except ValidationError as error:
        # Without the value itself: it might be a secret.
        wrong = "; ".join(f"NEPSE_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        message = f"a setting is out of bounds: {wrong}"
        raise UsageError(message) from error


def print_json(value: object) -> None:
    """Print one JSON document, plain, so that it survives a pipe."""
    typer.echo(json.dumps(value, indent=2))


def plain(text: str) -> str:
    """Make foreign text harmless for a terminal: control and other unprintable characters become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listens(server: str, host: str, port: int) -> None:
    """Say at once that nobody listens, where a client would try again for half a minute.

    Raises:
        TryAgainError: the address accepts no connection.
    """
    from infra.stack.probes import connects  # noqa: PLC0415

    try:
        connects(host, port)
    except TryAgainError as error:
        message = f"no {server} at {host}:{port}: run 'nepse up'"
        raise TryAgainError(message) from error


def reachable(settings: "Settings") -> "Settings":
    """Say at once that nobody listens, where a client would look for a broker for seconds.

    Raises:
        TryAgainError: none of the addresses accepts a connection.
    """
    from infra.stack.probes import answers  # noqa: PLC0415

    try:
        answers(settings.bootstrap)
    except TryAgainError as error:
        message = f"no broker at {settings.bootstrap}: run 'nepse up'"
        raise TryAgainError(message) from error
    return settings
