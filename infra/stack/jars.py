"""The broker's jars: fetched once from Maven Central by a resolver in pure Python, shared by all stacks."""

import argparse
import fcntl
from collections.abc import Callable
from pathlib import Path

from infra.errors import StackError
from infra.settings import Settings, load_settings

KAFKA_VERSION = "4.4.0"
BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
TOOLS = "org.apache.kafka:kafka-tools:4.3.1"  # the newest that is served; it talks to any broker


def classpath(settings: Settings, coordinate: str) -> list[Path]:
    """List the jars of a Maven artifact and everything it needs; empty before `fetch`."""
    listing = _listing(settings.jars_folder, coordinate)
    if not listing.exists():
        return []
    jars = [settings.jars_folder / line for line in listing.read_text().splitlines()]
    return jars if all(jar.exists() for jar in jars) else []


def fetch(settings: Settings, coordinate: str, say: Callable[[str], None]) -> list[Path]:
    """Bring an artifact's jars into the folder, unless they are there.

    Args:
        settings: where the folder is.
        coordinate: `group:artifact:version`.
        say: told before a download starts.

    Raises:
        StackError: the download failed.
    """
    if there := classpath(settings, coordinate):
        return there
    folder = settings.jars_folder
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not classpath(settings, coordinate):  # another process may just have fetched them
            say(f"fetching {coordinate} and what it needs from Maven Central (about 45 MB)")
            jars = _resolve(folder, coordinate)
            lines = [str(jar.relative_to(folder)) for jar in jars]
            _listing(folder, coordinate).write_text("\n".join(lines) + "\n")
    return classpath(settings, coordinate)


def _resolve(folder: Path, coordinate: str) -> list[Path]:
    from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 - slow, and needed once
    from jgo.maven import MavenContext  # noqa: PLC0415

    # Everything stays below `folder`: by default the resolver would also fill ~/.m2.
    context = MavenContext(repo_cache=folder / "repository")
    builder = EnvironmentBuilder(context=context, cache_dir=folder, link_strategy=LinkStrategy.HARD)
    try:
        return [Path(jar) for jar in builder.from_endpoint(coordinate).all_jars]
    except Exception as error:  # the resolver raises whatever its HTTP client does
        message = f"can't fetch {coordinate}: {error}. Check the network or the proxy, then run it again"
        raise StackError(message) from error


def _listing(folder: Path, coordinate: str) -> Path:
    return folder / f"{coordinate.replace(':', '_')}.txt"


def main() -> None:
    """Fetch the broker and its console tools: `python -m infra.stack.jars`."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    settings = load_settings()
    for coordinate in (BROKER, TOOLS):
        fetch(settings, coordinate, lambda line: print(line, flush=True))  # noqa: T201 - part of `make`


if __name__ == "__main__":
    main()
