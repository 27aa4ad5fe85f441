"""The command that tells where a prediction comes from and what became of it: lineage."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.tree import Tree

from infra.cli import shared

Node = dict[str, Any]

WIDE = 1_000
"""Columns where the output goes to a file or a pipe: nothing is wrapped."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(lineage)


def lineage(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="As the exchange writes it; quote one with spaces.")],
    day: Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="The session.")],
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Tell everything behind what was predicted about a session and from it, back to the raw file.

    Each record with its topic-partition@offset, the ledger entry and the run that made it; all revisions,
    the model's training, the errors or the expiry, and dead letters on the way.

    Example: nepse lineage "NICAD 85/86" 2024-03-04 --json
    """
    from infra.cli.reach import core, reading  # noqa: PLC0415

    settings = shared.settings_of(context, home)
    found: Node = reading("lineage").trace(settings, core("symbols").canonical(symbol), day.date())
    if as_json:
        shared.print_json(found)
        return
    console = shared.out if shared.out.is_terminal else Console(width=WIDE)
    console.print(_tree(found))
    if behind := found["read_side_behind"]:
        told = ", ".join(f"{count} offsets of {topic}" for topic, count in behind.items())
        shared.err.print(f"the read side lags, newer records may be missing: {told}", highlight=False)


def _tree(found: Node) -> Tree:
    tree = Tree(_text(f"{found['symbol']} on {found['session']}"))
    for announced in found["announced"]:
        _hang(tree, "", announced)
    for close in found["closes"]:
        _hang(tree, "close: ", close)
    for prediction in found["predictions"]:
        branch = _hang(tree, "", prediction)
        if prediction.get("from"):
            _hang_causes(branch, prediction["from"])
        if prediction.get("model"):
            _hang_model(branch, prediction["model"])
        for error in prediction.get("errors", []):
            _hang(_hang(branch, "became ", error), "with ", error["actual"])
        for ended in prediction.get("expired", []):
            _hang(branch, "became ", ended)
    for letter in found["dead_letters"]:
        text = f"dead letter {letter['place']} of {letter['of']} by {letter['flow']}: {letter['reason']}"
        tree.add(_text(text)).add(_text(f"run {letter['run']}"))
    return tree


def _hang_causes(branch: Tree, cause: Node) -> None:
    deeper = _hang(branch, "from ", cause)
    if cause.get("from"):
        _hang_causes(deeper, cause["from"])


def _hang_model(branch: Tree, model: Node) -> None:
    link = f" {model['mlflow']}" if model["mlflow"] else " (persistence: the last close)"
    deeper = branch.add(_text(f"by model {model['version']}{link}"))
    for event in model["events"]:
        _hang(deeper, "", event)


def _hang(branch: Tree, before: str, node: Node) -> Tree:
    """Add an event: what and where, its facts, and the run that made it."""
    if node["event"] is None:
        return branch.add(_text(f"{before}{node['place']}: {node['note']}"))
    facts = ", ".join(f"{name} {value}" for name, value in node["facts"].items())
    head = f"{before}{node['event']} {node['place']} {node['timestamp']} by {node['producer']}"
    added = branch.add(_text(f"{head}\n{facts}"))
    if made := node.get("slice"):
        added.add(_text(f"slice {' + '.join(made['ranges'])} ({made['place']}), run {made['run']}"))
    if node.get("announced"):
        _hang(added, "announced by ", node["announced"])
    return added


def _text(text: str) -> str:
    """Make foreign text harmless, line by line, for a terminal and for rich."""
    return "\n".join(shared.escape(shared.plain(line)) for line in text.split("\n"))
