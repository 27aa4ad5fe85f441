"""The command that takes past slices again: replay."""

from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.errors import UsageError

KINDS = ("identical", "different", "missing", "extra")
SHOWN = 20
"""Findings of a slice that a person gets to see; --json gives all."""


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(replay)


def replay(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Option("--run", help="The slices of this run.", show_default=False)
    ] = None,
    flow: Annotated[str | None, typer.Option(help="The slices of this flow.", show_default=False)] = None,
    topic: Annotated[str | None, typer.Option(help="Those that read this topic.", show_default=False)] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="Which of the topic's partitions, 0 without it.")
    ] = None,
    start: Annotated[int | None, typer.Option(min=0, help="From this offset on.")] = None,
    end: Annotated[
        int | None, typer.Option(min=1, help="Up to this offset, exclusive.", show_default=False)
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish corrections as revisions.")] = False,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Recompute past slices with what they knew then, and compare event by event; publishes nothing.

    identical, different (which fields), missing (published then, not made now), extra (made now, not
    published then). The command ends with 1 when anything is not identical.

    Example: nepse replay --flow predict --topic features --partition 0 --start 0 --end 500
    """
    from infra import prefect_runs  # noqa: PLC0415

    span = _span(run, flow, topic, (partition, start, end))
    parameters = {"run_id": run, "flow": flow, "span": span, "publish": publish}
    done = prefect_runs.run_here(shared.settings_of(context, home), "replay/replay", parameters)
    if as_json:
        shared.print_json(done)
    else:
        _say(done)
    if any(set(one["counts"]) - {"identical"} for one in done):
        raise typer.Exit(1)


def _span(
    run: str | None, flow: str | None, topic: str | None, numbers: tuple[int | None, int | None, int | None]
) -> dict[str, Any] | None:
    """Name the offsets that are meant; None means all slices.

    Raises:
        UsageError: something that was given would not be looked at, and more slices taken than were meant.
    """
    given = any(number is not None for number in numbers)
    message = ""
    if bool(run) == bool(flow):
        message = "say which slices: --run ID, or --flow F (with --topic, --partition, --start, --end)"
    elif run and (topic or given):
        message = "--run takes all slices of the run: --topic, --partition, --start and --end go with --flow"
    elif given and not topic:
        message = "--partition, --start and --end lie on a topic: say which with --topic, or leave them out"
    if message:
        raise UsageError(message)
    partition, start, end = numbers
    span = {"topic": topic, "partition": partition or 0, "start": start or 0, "end": end or 2**62}
    return span if topic else None


def _say(done: list[dict[str, Any]]) -> None:
    table = Table("flow", "slice", *KINDS, "published", box=None, padding=(0, 2, 0, 0))
    for one in done:
        counts = [str(one["counts"].get(kind, 0)) for kind in KINDS]
        table.add_row(one["flow"], one["slice"], *counts, str(one["published"]))
    shared.out.print(table)
    for one in done:
        for finding in one["findings"][:SHOWN]:
            text = (
                f"{finding['kind']} on {finding['topic']}: {finding['about']} {'; '.join(finding['fields'])}"
            )
            shared.out.print(shared.plain(text), highlight=False, markup=False, soft_wrap=True)
        if len(one["findings"]) > SHOWN:
            shared.out.print(f"and {len(one['findings']) - SHOWN} more in {one['slice']}: see --json")
