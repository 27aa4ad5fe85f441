"""What is missing or misconfigured, and how to mend it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from infra.errors import LoopError
from infra.settings import Settings, origins
from infra.stack import broker, database, jars, objects, ports, state
from infra.stack.parts import local, plan

OLDEST_PYTHON = (3, 11)
DISK_GB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, what was found, and what to do when that is not right."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Run every check; those that need servers only when the stack runs."""
    up = state.running(settings.home) is not None
    findings = [_python(), _disk(settings), _jars(settings), _secrets(settings), _running(settings, up=up)]
    return [*findings, *(_servers(settings) if up else [_ports(settings)])]


def settings_table(settings: Settings) -> list[tuple[str, str, str]]:
    """List every setting with its value and where that comes from; secrets are masked."""
    origin = origins(settings)
    return [(name, _shown(getattr(settings, name)), origin[name]) for name in Settings.model_fields]


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else "(none)"
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value) or "(none)"
    return "(none)" if value is None else str(value)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info[:2] >= OLDEST_PYTHON, found, "use Python 3.11 or newer")


def _disk(settings: Settings) -> Finding:
    folder = next(
        path for path in (settings.home.resolve(), *settings.home.resolve().parents) if path.exists()
    )
    free = shutil.disk_usage(folder).free / 1e9
    mend = f"free {DISK_GB:.0f} GB there, or choose another folder with --home"
    return Finding("disk", free >= DISK_GB, f"{free:.1f} GB free at {folder}", mend)


def _jars(settings: Settings) -> Finding:
    if settings.kafka_bootstrap is not None:
        return Finding("jars", True, "not needed: the broker is elsewhere")
    count = len(jars.classpath(settings, jars.BROKER))
    return Finding("jars", count > 0, f"{count} in {settings.jars_folder}", "run: python -m infra.stack.jars")


def _secrets(settings: Settings) -> Finding:
    missing = [name for name in ("s3_secret_key", "database_password") if not getattr(settings, name)]
    found = f"missing: {', '.join(missing)}" if missing else "there"
    return Finding("secrets", not missing, found, "nepse up makes them at the first start")


def _running(settings: Settings, *, up: bool) -> Finding:
    found = "running" if up else f"nothing is running in {settings.home.resolve()}"
    return Finding("stack", up, found, "start it: nepse up")


def _ports(settings: Settings) -> Finding:
    try:
        ports.require_free(settings, local(plan(settings)))
    except LoopError as error:
        return Finding("ports", False, str(error), "nepse up --port-offset 100")
    return Finding("ports", True, "free")


def _servers(settings: Settings) -> Iterator[Finding]:
    mend = "see the logs folder of the home, or restart: nepse down, then nepse up"
    for name, question, good in _questions():
        try:
            found = question(settings)
        except Exception as error:  # noqa: BLE001 - whatever a client says is the finding
            yield Finding(name, False, f"{type(error).__name__}: {error}", mend)
        else:
            missing = ", ".join(found)
            yield Finding(name, not found, f"missing or wrong: {missing}" if found else good, mend)


def _questions() -> list[tuple[str, Callable[[Settings], list[str]], str]]:
    return [
        ("broker", broker.wrong_settings, "answers, with the settings that the loop relies on"),
        ("buckets", objects.missing_buckets, "there"),
        ("databases", database.missing_databases, "there"),
        ("parts", _unhealthy, "all healthy"),
    ]


def _unhealthy(settings: Settings) -> list[str]:
    from infra.stack.status import parts_status  # noqa: PLC0415

    return [part["name"] for part in parts_status(settings) if not part["healthy"]]
