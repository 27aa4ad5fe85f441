"""Commands for alert rules: alerts test."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infra.cli import shared
from infra.errors import StopError, UsageError

if TYPE_CHECKING:
    from infra.settings import Settings

SHOWN = 10
"""Alerts that are written out; --json gives all."""

alerts_app = typer.Typer(help="Alert rules: what they say, before they are used.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    alerts_app.command("test")(try_out)
    app.add_typer(alerts_app, name="alerts")


@alerts_app.callback()
def alerts() -> None:
    """Alert rules: what they say, before they are used.

    Example: nepse alerts test rules.yaml
    """


def try_out(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file of rules.", exists=True, dir_okay=False)],
    events: Annotated[
        Path | None,
        typer.Option(
            help="Error events, one a line, as 'nepse tail errors --json' prints them.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    home: shared.Home = None,
    as_json: shared.AsJson = False,
) -> None:
    """Say what is wrong in a file of rules and in the channels, and what the rules would tell of events.

    The channels are those of the settings; a rule may name no other. Exit code 2, and one line a problem
    with its place, when the file or a channel can't be used.

    Example: nepse alerts test rules.yaml --events errors.jsonl
    """
    rules = rules_in(file, channels_in(shared.settings_of(context, home)))
    told = _told(rules, events) if events else []
    if as_json:
        shared.print_json({"rules": [_plain(rule) for rule in rules], "alerts": told})
        return
    shared.out.print(_table(rules, Counter(one["rule"] for one in told) if events else None))
    for one in told[:SHOWN]:
        shared.out.print(shared.escape(f"{one['rule']}: {shared.plain(one['message'])}"), highlight=False)
    if len(told) > SHOWN:
        shared.out.print(f"and {len(told) - SHOWN} more: --json gives all", style="dim")


def require_usable(settings: "Settings") -> None:
    """Check the channels and the rules of a stack before it starts.

    Raises:
        UsageError: a channel, or the file of rules, can't be used; one line a problem.
    """
    channels = channels_in(settings)
    if settings.alert_rules is not None:
        rules_in(settings.alert_rules, channels)


def channels_in(settings: "Settings") -> tuple[str, ...]:
    """Open every channel of the settings; gives their names.

    Raises:
        UsageError: one can't be used.
    """
    from infra.channels import Channels  # noqa: PLC0415

    channels = Channels(settings)
    try:
        channels.check()
    except StopError as error:
        message = f"NEPSE_NOTIFY_CHANNELS, NEPSE_NOTIFY_URLS: {error}"
        raise UsageError(message) from error
    return channels.names


def rules_in(file: Path, channels: Sequence[str]) -> Any:
    """Read rules, which may name these channels.

    Raises:
        UsageError: the file can't be used; one line a problem.
    """
    from infra.cli.reach import core  # noqa: PLC0415

    reader = core("rule_file")
    try:
        return reader.parse(file.read_text("utf-8"), channels)
    except OSError as error:
        message = f"the alert rules can't be read: {error}"
        raise UsageError(message) from error
    except UnicodeDecodeError as error:
        message = f"{file} is no text in UTF-8"
        raise UsageError(message) from error
    except reader.RulesError as error:
        lines = [f"{file}:{line}: {told}" for line, told in error.problems]
        message = "\n".join([f"{len(lines)} problems in the rules", *lines])
        raise UsageError(message) from error


def _told(rules: Any, file: Path) -> list[dict[str, Any]]:
    """Hold the rules about single errors against the events of a file.

    Raises:
        UsageError: a line is no error event.
    """
    from infra.cli.reach import core  # noqa: PLC0415

    manager = core("alerting").AlertManager(rules)
    found = manager.process(_error(*numbered) for numbered in enumerate(_lines(file), 1))
    return [alert.model_dump(mode="json", exclude_none=True) for _, alert in found]


def _lines(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().splitlines() if line.strip()]


def _error(number: int, line: bytes) -> Any:
    import orjson  # noqa: PLC0415

    from events.envelope import ContractError, decode  # noqa: PLC0415
    from events.payloads import ErrorComputed  # noqa: PLC0415

    try:
        raw = orjson.loads(line)
        inner = raw.get("event") if isinstance(raw, dict) else None
        payload = decode(orjson.dumps(inner) if isinstance(inner, dict) else line).payload
    except (orjson.JSONDecodeError, ContractError) as error:
        message = f"line {number} of the events is no event: {error}"
        raise UsageError(message) from error
    if not isinstance(payload, ErrorComputed):
        message = f"line {number} of the events is no ErrorComputed but {type(payload).__name__}"
        raise UsageError(message)
    return payload


def _plain(rule: Any) -> dict[str, Any]:
    fields = ("name", "about", "measure", "above", "below", "statistic", "over", "held_s", "severity")
    return {name: getattr(rule, name) for name in fields} | {"by": rule.by, "channels": rule.channels}


def _table(rules: Any, counts: Counter[str] | None) -> Table:
    table = Table("line", "rule", "about", "condition", "for", "severity", "channels")
    if counts is not None:
        table.add_column("events breach it", justify="right")
    for rule in rules:
        counted = [] if counts is None else [str(counts[rule.name])]
        table.add_row(*_cells(rule), *counted)
    return table


def _cells(rule: Any) -> tuple[str, ...]:
    side = "above" if rule.above is not None else "below"
    what = f"{rule.statistic} of {rule.measure}" if rule.statistic else rule.measure
    over = f" over {rule.over}" if rule.over else ""
    condition = f"{what}{over} {side} {rule.threshold:g}"
    channels = ", ".join(rule.channels) or "all"
    return (str(rule.line), rule.name, rule.about, condition, f"{rule.held_s:g} s", rule.severity, channels)
