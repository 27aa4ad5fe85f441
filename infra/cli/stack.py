"""Commands for the local stack: up, down, status, doctor."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.table import Table

from infra.cli import shared
from infra.cli.alerts import require_usable
from infra.errors import StackError

if TYPE_CHECKING:
    from infra.settings import Settings
    from infra.stack.state import StackState
    from infra.stack.status import PartStatus, SensorStatus

MARKS = {
    "waiting": "[dim]·[/dim]",
    "starting": "[yellow]…[/yellow]",
    "restarting": "[red]↻[/red]",
    "ready": "[green]✓[/green]",
    "stopped": "[dim]-[/dim]",
}


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (up, down, status, doctor):
        app.command()(command)


def up(
    context: typer.Context,
    home: shared.Home = None,
    port_offset: Annotated[
        int | None,
        typer.Option(min=0, max=46_000, help="Added to every port, and remembered by the home."),
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay attached; Ctrl-C stops everything.")
    ] = False,
) -> None:
    """Start Kafka, S3, Postgres, Prefect, MLflow, the sensors, the projectors and the page.

    Example: nepse up --home .nepse-b --port-offset 100
    """
    from infra.stack import control, state  # noqa: PLC0415

    with shared.readable():
        settings = state.prepare_home(shared.home_of(context, home), port_offset)
    require_usable(settings)
    if foreground:
        control.check(settings, shared.err.print)
        _stay(settings)
    elif (now := state.running(settings.home)) is not None:
        shared.out.print(f"already running in {settings.home}", soft_wrap=True)
        _wait(settings, now.pid)
    else:
        start(settings)


def start(settings: "Settings") -> None:
    """Start a prepared stack in the background and show its parts until it is up."""
    from infra.stack import control  # noqa: PLC0415

    control.check(settings, shared.err.print)
    _wait(settings, control.launch(settings).pid)


def _stay(settings: "Settings") -> None:
    from infra.stack.supervisor import supervise  # noqa: PLC0415

    seen: dict[str, str] = {}
    supervise(settings, lambda now: _say_changes(settings, now, seen))
    shared.out.print("stopped")


def _say_changes(settings: "Settings", now: "StackState", seen: dict[str, str]) -> None:
    for name, part in now.parts.items():
        if seen.get(name) != part.state:
            seen[name] = part.state
            shared.out.print(f"{MARKS[part.state]} {name} {part.state}", highlight=False)
    if seen.get("") != now.phase:
        seen[""] = now.phase
        shared.out.print(_addresses(settings) if now.phase == "up" else now.phase)


def _wait(settings: "Settings", pid: int) -> None:
    import psutil  # noqa: PLC0415

    from infra.stack import control  # noqa: PLC0415

    began = time.monotonic()
    try:
        with Live(console=shared.err, transient=True) as live:
            for now in control.follow(settings, psutil.Process(pid)):
                live.update(_progress(now))
    except KeyboardInterrupt:
        shared.err.print("stopping")
        control.take_down(settings.home)
        raise
    shared.out.print(_addresses(settings))
    shared.out.print(f"up after {time.monotonic() - began:.1f} s")


def _progress(now: "StackState") -> str:
    took = {
        name: "" if part.seconds is None else f" {part.seconds:.1f} s" for name, part in now.parts.items()
    }
    return "\n".join(f"{MARKS[part.state]} {name}{took[name]}" for name, part in now.parts.items())


def _addresses(settings: "Settings") -> Table:
    from infra.stack.parts import plan  # noqa: PLC0415

    table = Table("part", "version", "address", box=None, padding=(0, 2, 0, 0))
    for part in plan(settings):
        if part.url:
            table.add_row(part.name, part.version, part.url)
    return table


def down(context: typer.Context, home: shared.Home = None) -> None:
    """Stop everything that runs in the home.

    Example: nepse down --home .nepse-b
    """
    from infra.stack import control  # noqa: PLC0415

    folder = shared.home_of(context, home)
    stopped = control.take_down(folder)
    shared.out.print(f"stopped {folder}" if stopped else f"nothing is running in {folder}", soft_wrap=True)


def status(context: typer.Context, home: shared.Home = None, as_json: shared.AsJson = False) -> None:
    """Show the health of each part and each sensor; exit code 1 unless all are healthy.

    A sensor is healthy while it makes progress, or has nothing to do.

    Example: nepse status --json
    """
    from infra.stack import state  # noqa: PLC0415
    from infra.stack.status import parts_status, sensors_status  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    running = state.running(settings.home) is not None
    parts = parts_status(settings)
    broker = any(part["name"] == "kafka" and part["healthy"] for part in parts)
    sensors = sensors_status(settings) if broker else []
    if as_json:
        shared.print_json({"parts": parts, "sensors": sensors})
    elif running:
        _show_status(parts, sensors)
    _require_healthy(settings, parts, sensors, running=running)


def _require_healthy(
    settings: "Settings", parts: "list[PartStatus]", sensors: "list[SensorStatus]", *, running: bool
) -> None:
    ill = [one["name"] for one in (*parts, *sensors) if not one["healthy"]]
    if any(not part["healthy"] for part in parts) and not running:
        message = f"nothing is running in {settings.home}: start it with nepse up"
        raise StackError(message)
    if ill:
        message = f"not healthy: {', '.join(ill)}; see {settings.home / 'logs'}"
        raise StackError(message)


def _show_status(parts: "list[PartStatus]", sensors: "list[SensorStatus]") -> None:
    table = Table("", "part", "version", "address and metrics", box=None, padding=(0, 2, 0, 0))
    for part in parts:
        mark = MARKS["ready" if part["healthy"] else "restarting"]
        table.add_row(
            mark, part["name"], part["version"], "\n".join(filter(None, (part["url"], part["metrics"])))
        )
    shared.out.print(table)
    lags = Table("", "sensor", "flow", "lag", "last commit", "why", box=None, padding=(0, 2, 0, 0))
    for sensor in sensors:
        mark = MARKS["ready" if sensor["healthy"] else "restarting"]
        cells = (sensor["name"], sensor["flow"], str(sensor["lag"]), sensor["last_commit"] or "never")
        lags.add_row(mark, *cells, shared.escape(sensor["why"] or ""))
    if sensors:
        shared.out.print(lags)


def doctor(context: typer.Context, home: shared.Home = None) -> None:
    """Say what is missing or misconfigured and how to mend it; exit code 1 when anything is.

    Example: nepse doctor
    """
    from infra.stack.doctor import examine, settings_table  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    findings = examine(settings)
    for one in findings:
        mark, mend = ("ok    ", "") if one.ok else ("not ok", f" -> {one.mend}")
        colour = "green" if one.ok else "red"
        text = shared.escape(f"{one.name}: {one.found}{mend}")
        shared.out.print(f"[{colour}]{mark}[/{colour}] {text}", highlight=False, soft_wrap=True)
    table = Table("setting", "value", "from", box=None, padding=(0, 2, 0, 0))
    for row in settings_table(settings):
        table.add_row(*map(shared.escape, row))
    shared.out.print(table)
    if not all(one.ok for one in findings):
        raise typer.Exit(1)
