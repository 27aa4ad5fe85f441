"""Commands for model versions: models list, show, promote, rollback, compare."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.errors import UsageError

if TYPE_CHECKING:
    from infra.settings import Settings

Row = dict[str, Any]

Reason = Annotated[str, typer.Option("--reason", help="Why: it is told with the change.")]

models_app = typer.Typer(
    help="Model versions: who serves, who waits, how good they are.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    models_app.command("list")(list_versions)
    models_app.command("show")(show)
    models_app.command("promote")(promote)
    models_app.command("rollback")(rollback)
    models_app.command("compare")(compare)
    app.add_typer(models_app, name="models")


def list_versions(context: typer.Context, home: shared.Home = None, as_json: shared.AsJson = False) -> None:
    """List all versions, oldest first: who serves, who predicts in shadow, who did once.

    Example: nepse models list
    """
    from infra.cli.reach import reading  # noqa: PLC0415

    found: list[Row] = reading("versions").listed(shared.reachable(shared.settings_of(context, home)))
    if as_json:
        shared.print_json(found)
        return
    _print_table(found)
    shared.err.print("next: nepse models show VERSION, nepse models compare", highlight=False)


def _print_table(found: list[Row]) -> None:
    head = ("version", "role", "trained on data up to", "set", "RMSE below persistence", "MAPE")
    table = Table(*head, box=None, padding=(0, 2, 0, 0), header_style="dim")
    for row in found:
        figures = (_percent(row.get("rmse_skill")), _percent(row.get("mape")))
        cells = (row["version"], row["role"], row.get("training_end") or "", row.get("feature_set") or "")
        table.add_row(*(shared.escape(shared.plain(cell)) for cell in (*cells, *figures)))
    shared.out.print(table)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} %"


def show(
    context: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as v12.")],
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Show what a version was trained on, how it did, when it served, and where its file lies.

    Example: nepse models show v12 --json
    """
    from infra.cli.reach import reading  # noqa: PLC0415

    settings = shared.reachable(shared.settings_of(context, home))
    found: Row = reading("versions").shown(settings, version)
    if as_json:
        shared.print_json(found)
        return
    for name, value in found.items():
        if value not in (None, [], {}):
            shared.out.print(f"[bold]{name}[/bold] {_text(value)}", highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    """Write a value for people: lists and tables in one line."""
    told = ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
    return str(shared.escape(shared.plain(told)))


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items() if one is not None)
    return str(value)


def promote(
    context: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as v12; v0 is persistence.")],
    reason: Reason = "by hand",
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Let a version serve from the next session on, as a Prefect run; nothing is restarted.

    It has to load here first. Of a version that serves already it is said once more: a training that is under
    way leaves it in office then, and who refused its file tries again.

    Example: nepse models promote v12 --reason "it did better in shadow"
    """
    parameters = {"version": version, "reason": reason}
    _change(shared.settings_of(context, home), parameters, as_json=as_json)


def rollback(
    context: typer.Context,
    reason: Reason = "rolled back by hand",
    instead_of: Annotated[
        str | None,
        typer.Option(
            "--instead-of", metavar="VERSION", help="Only while it serves; without it you are asked."
        ),
    ] = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Let the version serve again that did before, as a Prefect run; nothing is restarted.

    Who serves is shown first. Where another one does by the time the run decides, nothing is changed.

    Example: nepse models rollback --instead-of v12 --reason "v12 errs too much"
    """
    settings = shared.settings_of(context, home)
    leaving = instead_of or _shown_serving(settings)
    parameters = {"version": None, "reason": reason, "instead_of": leaving}
    _change(settings, parameters, as_json=as_json)


def _shown_serving(settings: "Settings") -> str:
    """Show who serves and who would again, and ask where a person is there; returns who serves.

    Raises:
        UsageError: the answer is no.
    """
    from infra.cli.reach import reading  # noqa: PLC0415

    offices = reading("versions").offices_now(shared.reachable(settings))
    serving, before = offices.champion, offices.before()
    told = f"{serving.version} serves: {serving.reason or 'nobody was promoted'}"
    shared.err.print(shared.plain(told), highlight=False, markup=False, soft_wrap=True)
    if before is not None and sys.stdin.isatty():
        question = f"Let {before.version} serve again instead of {serving.version}?"
        if not typer.confirm(shared.plain(question), err=True):
            message = "nothing was changed"
            raise UsageError(message)
    return str(serving.version)


def _change(settings: "Settings", parameters: Row, *, as_json: bool) -> None:
    from infra import prefect_runs  # noqa: PLC0415

    decision: Row = prefect_runs.run_here(settings, "promote/promote", parameters)
    if as_json:
        shared.print_json(decision)
        return
    shared.out.print(shared.plain(decision["message"]), highlight=False, markup=False, soft_wrap=True)
    if decision["published"]:
        shared.err.print("next: nepse models list", highlight=False)


def compare(
    context: typer.Context,
    first: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="The challenger without it.", show_default=False)
    ] = None,
    second: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="The champion without it.", show_default=False)
    ] = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Compare two versions on the live days that both predicted, one of them maybe in shadow.

    Errors in returns and in rupees, persistence beside them, and a paired test across sessions.

    Example: nepse models compare v12 v11 --json
    """
    from infra.cli.reach import reading  # noqa: PLC0415

    settings = shared.reachable(shared.settings_of(context, home))
    found: Row = reading("comparing").compare_live(settings, first, second)
    if as_json:
        shared.print_json(found)
        return
    _say(found)


def _say(found: Row) -> None:
    figures: dict[str, dict[str, float]] = found["figures"]
    if found["pairs"]:
        table = Table("measure", *figures, box=None, padding=(0, 2, 0, 0), header_style="dim")
        for measure in dict.fromkeys(name for one in figures.values() for name in one):
            cells = (f"{one[measure]:.6g}" if measure in one else "" for one in figures.values())
            table.add_row(measure, *cells)
        shared.out.print(table)
        told = f"{found['pairs']} pairs of vectors from {found['since']} to {found['until']}"
        shared.out.print(told, highlight=False, markup=False, soft_wrap=True)
    shared.out.print(shared.plain(found["verdict"]), highlight=False, markup=False, soft_wrap=True)
    if lag := found["read_side_behind"]:
        told = ", ".join(f"{count} offsets of {topic}" for topic, count in lag.items())
        shared.err.print(f"the read side lags, newer records may be missing: {told}", highlight=False)
