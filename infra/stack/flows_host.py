"""Our own processes: deployments, the worker, the sensors and the projectors."""

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

from infra.errors import TryAgainError
from infra.settings import PROJECT, Settings
from infra.stack import operators, probes
from infra.stack.parts import Part
from infra.stack.schedules import watch_landing
from infra.telemetry.ports import address_of, port_of

WORKER = "local-worker"
HOSTS = ("forecasting", "judging", "telling", "projectors")
"""Our own processes, each with the deployments that `sensors.host` gives it."""
NICE = {"forecasting": 0, "judging": 5, "telling": 5, "projectors": 10}
SERVERS = ("kafka", "s3", "postgres", "prefect", "mlflow")


def parts(settings: Settings) -> list[Part]:
    """Describe what runs our flows; the deployments are left out when they are as they were."""
    deploy = [] if deployed(settings) else [_deploy()]
    hosts = [_host(settings, name) for name in HOSTS]
    return [*deploy, _worker(settings), *hosts]


def _deploy() -> Part:
    return Part(
        name="deploy",
        command=(_script("prefect"), "--no-prompt", "deploy", "--all"),
        version=version("nepse-loop"),
        modules=("flows.ingest", "flows.predict", "sensors.sensor"),
        needs=("prefect",),
        once=True,
        ready=_nothing,
        after=_finish,
        within=180.0,
    )


def _finish(settings: Settings) -> None:
    watch_landing(settings)
    operators.apply(settings)
    remember_deployed(settings)


def _worker(settings: Settings) -> Part:
    name = ("--name", WORKER)
    return Part(
        name="worker",
        command=(
            _script("prefect"),
            "worker",
            "start",
            "--pool",
            settings.work_pool,
            "--type",
            "process",
            *name,
        ),
        version=version("prefect"),
        url=f"{settings.prefect_ui}/work-pools/work-pool/{settings.work_pool}",
        environment={"PREFECT_WORKER_QUERY_SECONDS": "2"},
        nice=5,
        needs=("prefect",),
        before=forget_worker,
        ready=worker_ready,
    )


def _host(settings: Settings, name: str) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-m", "sensors.host", name),
        version=version("nepse-loop"),
        modules=("sensors.host",),
        metrics=address_of(settings, name),
        ports={f"the metrics of {name}": port_of(settings, name)},
        nice=NICE[name],
        needs=(*SERVERS, "deploy"),
        before=lambda settings: ready_file(settings, name).unlink(missing_ok=True),
        ready=lambda settings: announced(settings, name),
        stop_within=15.0,
    )


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _nothing(_settings: Settings) -> None:
    """Be content: a step is done when its process has ended well."""


def ready_file(settings: Settings, name: str) -> Path:
    """Where one of our hosts writes its process id once it is at work."""
    return settings.home.resolve() / "run" / f"{name}.ready"


def announce(settings: Settings, name: str, pid: int) -> None:
    """Say that a host is at work; its process calls it once it holds its partitions."""
    file = ready_file(settings, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(pid))


def announced(settings: Settings, name: str) -> None:
    """Check that a host said so and still runs.

    Raises:
        TryAgainError: not yet, or no longer.
    """
    file = ready_file(settings, name)
    if not file.exists() or not psutil.pid_exists(int(file.read_text() or 0)):
        message = f"{name} is not at work"
        raise TryAgainError(message)


def worker_ready(settings: Settings) -> None:
    """Look for the worker among those that the server hears from.

    Raises:
        TryAgainError: the server doesn't hear from it.
    """
    workers = probes.get_json(f"{settings.prefect_ui}/api/work_pools/{settings.work_pool}/workers/filter", {})
    if not any(worker["name"] == WORKER and worker["status"] == "ONLINE" for worker in workers):
        message = "the worker is not heard of"
        raise TryAgainError(message)


def forget_worker(settings: Settings) -> None:
    """Take the last run's worker out of the list, so that only a new one can look ready."""
    workers = f"{settings.prefect_ui}/api/work_pools/{settings.work_pool}/workers"
    if any(worker["name"] == WORKER for worker in probes.get_json(f"{workers}/filter", {})):
        probes.delete(f"{workers}/{WORKER}")


def deployed(settings: Settings) -> bool:
    """Tell whether this very wiring and code has been deployed from this home."""
    stamp = settings.home.resolve() / "deployed"
    return stamp.exists() and stamp.read_text() == fingerprint(settings)


def remember_deployed(settings: Settings) -> None:
    """Note what was deployed."""
    (settings.home.resolve() / "deployed").write_text(fingerprint(settings))


def fingerprint(settings: Settings) -> str:
    """Digest of what deployments are made from: the wiring, the flows' code, the server, what is watched."""
    declared = [PROJECT / "prefect.yaml", operators.FILE]
    code = sorted([*declared, *PROJECT.glob("flows/*.py"), *PROJECT.glob("sensors/*.py")])
    made = (settings.prefect_ui, settings.work_pool, settings.landing is not None, version("prefect"))
    digest = hashlib.sha256(" ".join(map(str, made)).encode())
    for file in code:
        if file.exists():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
