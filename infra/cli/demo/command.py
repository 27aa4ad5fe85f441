"""`nepse demo`: the whole loop, from nothing, on a terminal."""

import shutil
import time
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import shared
from infra.errors import UsageError

if TYPE_CHECKING:
    from infra.cli.demo.source import Source
    from infra.cli.demo.watch import Played, Watcher
    from infra.settings import Settings

MARKER = "demo"
TRAIN_SECONDS = 600


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    home: shared.Home = None,
    data: Annotated[
        str | None, typer.Option(help="Folder or URL with history.parquet and daily/*.csv.")
    ] = None,
    sessions: Annotated[int, typer.Option(min=2, max=200, help="Sessions that are played as if live.")] = 10,
) -> None:
    """Start everything, load price history, train, and play the last sessions as if they arrived live.

    The stack stays up afterwards. Example: nepse demo --sessions 5, or nepse demo --data path/to/prices
    """
    began = time.monotonic()
    settings = _fresh(shared.settings_of(context, home))
    data = data or settings.data
    where = f"exchange files in {data}" if data else "the project's own simulator (seeded; no real prices)"
    shared.out.print(f"[bold]NEPSE loop demo[/bold] on {where}", highlight=False, soft_wrap=True)
    threshold = sessions // 2 + 1
    shared.out.print(f"retraining is asked for after {threshold} new sessions here (normally 100)")
    settings = _start(settings, threshold)
    _play(settings, _split(settings, data, sessions), began)


def _split(settings: "Settings", data: str | None, sessions: int) -> "Source":
    from infra.cli.demo.source import prepare  # noqa: PLC0415

    with shared.err.status("reading the files"):
        source = prepare(settings, data, sessions)
    plan = source.plan
    history = f"history: {plan.sessions} sessions {plan.since} to {plan.until}, {plan.rows} rows"
    shared.out.print(f"{history}; {len(plan.live)} sessions to play", highlight=False)
    return source


def _fresh(settings: "Settings") -> "Settings":
    """Begin from nothing: an earlier demo's state goes, anybody else's stays.

    Raises:
        UsageError: the home holds a stack that no demo made.
    """
    from infra.stack import control  # noqa: PLC0415

    if (settings.home / MARKER).exists():
        control.take_down(settings.home)
        shutil.rmtree(settings.home)
    elif settings.home.exists() and any(settings.home.iterdir()):
        message = (
            f"{settings.home} holds a stack of its own, and the demo starts from nothing:"
            f" name another folder with --home, or remove this one with 'make clean'"
        )
        raise UsageError(message)
    return settings


def _start(settings: "Settings", threshold: int) -> "Settings":
    from infra.cli.stack import start  # noqa: PLC0415
    from infra.prefect_runs import adopt  # noqa: PLC0415
    from infra.stack.state import prepare_home  # noqa: PLC0415

    offset = settings.port_offset or None
    ours = prepare_home(settings.home, offset, {"NEPSE_RETRAIN_AFTER_SESSIONS": str(threshold)})
    (ours.home / MARKER).touch()
    start(ours)
    adopt(ours)
    return ours


def _play(settings: "Settings", source: "Source", began: float) -> None:
    from infra.cli.demo.load import load  # noqa: PLC0415
    from infra.cli.demo.show import SESSION_HEAD, session_line, summary  # noqa: PLC0415
    from infra.cli.demo.watch import Watcher  # noqa: PLC0415

    watcher = Watcher(settings)
    loaded = load(settings, source, watcher)
    _train(watcher)
    watcher.go_live(loaded)
    shared.out.print(SESSION_HEAD, highlight=False, soft_wrap=True)
    played: list[Played] = []
    for name in source.plan.live:
        trained = len(watcher.models)
        played += _play_one(settings, source, watcher, name)
        shared.out.print(session_line(played[-1]), highlight=False, soft_wrap=True)
        _await_retraining(watcher, trained)
    shared.out.print(summary(settings, watcher, played, time.monotonic() - began), highlight=False)


def _train(watcher: "Watcher") -> None:
    from infra.cli.demo.show import model_line  # noqa: PLC0415

    with shared.err.status("training the first model"):
        watcher.until(lambda: bool(watcher.models), TRAIN_SECONDS, "the first training")
        watcher.until(watcher.settled, TRAIN_SECONDS, "the check of the first model")
    shared.out.print(model_line(watcher.models[-1]), highlight=False, soft_wrap=True)


def _play_one(settings: "Settings", source: "Source", watcher: "Watcher", name: str) -> "list[Played]":
    from infra.prefect_runs import run_here  # noqa: PLC0415

    lines = run_here(settings, "ingest/ingest", {"paths": [f"{source.daily}/{name}"]})
    fresh = [line for line in lines if line["events"] and line["accepted"]]
    # of a mixture with another session's rows fewer are told than it has
    return [watcher.play(line["session"], min(line["accepted"], line["events"] - 1)) for line in fresh]


def _await_retraining(watcher: "Watcher", trained: int) -> None:
    """Where a retraining was asked for, wait until it has been answered and tell of it."""
    from infra.cli.demo.show import model_line  # noqa: PLC0415

    if not watcher.settled():
        reason = watcher.triggers[-1].reason if watcher.triggers else "asked for"
        with shared.err.status(f"retraining: {reason}"):
            watcher.until(watcher.settled, TRAIN_SECONDS, "the retraining")
    for model in watcher.models[trained:]:
        shared.out.print(model_line(model), highlight=False, soft_wrap=True)
