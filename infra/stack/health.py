"""A container's health check: `python -m infra.stack.health worker` ends with 0 when the part is well."""

import argparse
import sys

from infra.errors import LoopError
from infra.settings import Settings, load_settings
from infra.stack.parts import plan


def trouble(settings: Settings, name: str) -> str | None:
    """Say what is wrong with a part; None when it is well."""
    part = next((one for one in plan(settings) if one.name == name), None)
    if part is None:
        return f"there is no part {name}"
    try:
        part.ready(settings)
    except LoopError as error:
        return str(error)
    return None


def main() -> int:
    """Ask one part whether it is well."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name")
    found = trouble(load_settings(), parser.parse_args().name)
    if found:
        print(found, file=sys.stderr)  # noqa: T201 - what `docker inspect` shows
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
