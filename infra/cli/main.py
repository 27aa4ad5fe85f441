"""The `nepse` command: global options, the commands of each module, and how failures look."""

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from infra.cli import shared
from infra.errors import LoopError, UsageError

# Each module has `register(app)`. None of them imports a heavy library at its top: `--help` stays quick.
MODULES = (
    "stack",
    "data",
    "market",
    "backfill",
    "topics",
    "dlq",
    "replay",
    "reconcile",
    "lineage",
    "features",
    "models",
    "rebuild",
    "maintain",
    "alerts",
    "demo.command",
)
FAILED, MISUSED = 1, 2

app = typer.Typer(
    help="Forecasts the Nepal Stock Exchange, session after session. Begin with: nepse up",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    home: shared.Home = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Forecasts the Nepal Stock Exchange, session after session.

    Example: nepse up, then nepse status
    """


for _module in MODULES:
    import_module(f"infra.cli.{_module}").register(app)


def main() -> None:
    """Run the command line: 0 when all is well, 1 after a failure, 2 after wrong usage."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; a failure becomes a sentence on standard error and an exit code."""
    if "--debug" in arguments:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "NOTSET")
    try:
        app([one for one in arguments if one != "--debug"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _explain(error)
    return 0


def _explain(error: Exception) -> int:
    known = isinstance(error, LoopError)
    text = str(error) if known else f"{type(error).__name__}: {error}. Run it with --debug to see where"
    shared.err.print(f"[red]nepse:[/red] {shared.escape(text)}", highlight=False, soft_wrap=True)
    return MISUSED if isinstance(error, UsageError) else FAILED
