"""Commands for dead letters: dlq list, show, redrive."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.errors import RejectError, UsageError

if TYPE_CHECKING:
    from infra.kafka.letters import Letter
    from infra.settings import Settings

SHOWN = 4_000
"""Characters of an original that a person gets to see; --json gives all."""
ID_LENGTH = 8

LetterId = Annotated[str, typer.Argument(metavar="ID", help="A letter's id, or its beginning.")]
Flow = Annotated[str | None, typer.Option(help="Only letters of this flow.", show_default=False)]
Reason = Annotated[
    str | None, typer.Option(help="Only letters whose reason holds this text.", show_default=False)
]

letters_app = typer.Typer(help="Dead letters: what flows refused, and why.", no_args_is_help=True)


class Status(StrEnum):
    """Which letters to list."""

    open = "open"
    resolved = "resolved"
    all = "all"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    letters_app.command("list")(list_letters)
    letters_app.command("show")(show)
    letters_app.command("redrive")(redrive)
    app.add_typer(letters_app, name="dlq")


def _letters(settings: "Settings") -> "list[Letter]":
    from infra.kafka.letters import read_letters  # noqa: PLC0415

    return read_letters(shared.reachable(settings))


def list_letters(
    context: typer.Context,
    status: Annotated[Status, typer.Option(help="Which letters.")] = Status.open,
    flow: Flow = None,
    reason: Reason = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """List dead letters, oldest first.

    Example: nepse dlq list --flow predict
    """
    found = [
        letter
        for letter in _letters(shared.settings_of(context, home))
        if (status is Status.all or letter.resolved == (status is Status.resolved))
        and (flow is None or letter.flow == flow)
        and (reason is None or reason in letter.reason)
    ]
    if as_json:
        shared.print_json([letter.as_dict() for letter in found])
        return
    if not found:
        shared.out.print("no such letter" if status is Status.all else f"no letter is {status.value}")
        return
    _print_table(found)
    shared.err.print("next: nepse dlq show ID, then nepse dlq redrive --id ID", highlight=False)


def _print_table(found: "list[Letter]") -> None:
    table = Table("id", "flow", "source", "when (UTC)", "attempts", "reason", box=None, padding=(0, 2, 0, 0))
    for letter in found:
        first = letter.reason.splitlines()[0] if letter.reason else letter.error_class
        attempts = f"{letter.attempts}, resolved" if letter.resolved else str(letter.attempts)
        cells = (letter.id[:ID_LENGTH], letter.flow, str(letter.place), f"{letter.at:%Y-%m-%d %H:%M}")
        table.add_row(*(shared.escape(shared.plain(cell)) for cell in (*cells, attempts, first)))
    shared.out.print(table)


def show(
    context: typer.Context, letter: LetterId, home: shared.Home = None, as_json: shared.AsJson = False
) -> None:
    """Show one dead letter: its reason, where the original lies, and its bytes.

    Example: nepse dlq show 1f0a9c3e
    """
    found = _one(_letters(shared.settings_of(context, home)), letter)
    facts = found.as_dict() | {"key": _text(found.key), "value": _text(found.value)}
    if as_json:
        shared.print_json(facts)
        return
    for name, value in facts.items():
        text = str(found.place) if name == "source" else "(none)" if value is None else str(value)
        cut = f"{text[:SHOWN]}… ({len(text)} characters)" if len(text) > SHOWN else text
        lines = "\n".join(shared.plain(part) for part in cut.splitlines())
        shared.out.print(f"[bold]{name}[/bold] {shared.escape(lines)}", highlight=False, soft_wrap=True)


def _one(letters: "list[Letter]", beginning: str) -> "Letter":
    """Find the letter that is meant.

    Raises:
        RejectError: none, or several, begin like this.
    """
    found = [letter for letter in letters if letter.id.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    message = (
        f"no dead letter {shared.plain(beginning)}: see 'nepse dlq list --status all'"
        if not found
        else f"{len(found)} letters begin with {shared.plain(beginning)}: give more of the id"
    )
    raise RejectError(message)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def redrive(
    context: typer.Context,
    letter: Annotated[
        list[str] | None, typer.Option("--id", help="This letter; may be given again.", show_default=False)
    ] = None,
    flow: Flow = None,
    reason: Reason = None,
    every: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which.")] = False,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Try open letters again, as a Prefect run, with today's code of the flow that refused them.

    What went through is resolved; what failed again stays open with one more attempt, and the command ends
    with 1.

    Example: nepse dlq redrive --flow predict --dry-run
    """
    from infra import prefect_runs  # noqa: PLC0415

    if not (letter or flow or reason or every):
        message = "say which letters: --id, --flow, --reason or --all"
        raise UsageError(message)
    settings = shared.settings_of(context, home)
    parameters = {"ids": letter, "flow": flow, "reason": reason, "every": every, "dry_run": dry_run}
    lines = prefect_runs.run_here(settings, "redrive/redrive", parameters)
    if as_json:
        shared.print_json(lines)
    else:
        _say(lines)
    if any(line["outcome"] == "failed" for line in lines):
        raise typer.Exit(1)


def _say(lines: list[dict[str, Any]]) -> None:
    if not lines:
        shared.out.print("no open letter is meant: nothing to do")
    for line in lines:
        why = f": {line['reason']}" if line["reason"] else ""
        text = f"{line['id'][:ID_LENGTH]} {line['flow']} {line['source']} {line['outcome']}{why}"
        shared.out.print(shared.plain(text), highlight=False, markup=False, soft_wrap=True)
