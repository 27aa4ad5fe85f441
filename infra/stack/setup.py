"""Preparing servers that somebody else runs: databases, buckets, topics and the work pool."""

import argparse
from collections.abc import Sequence

from infra.errors import UsageError
from infra.settings import Settings, load_settings
from infra.stack.parts import plan


def prepare(settings: Settings, names: Sequence[str]) -> None:
    """Make what is missing on these servers; what is there stays as it is.

    Args:
        settings: where the servers are.
        names: parts as `nepse status` names them: kafka, s3, postgres, prefect.

    Raises:
        UsageError: no such part, or nothing can be prepared on it.
    """
    hooks = {part.name: part.after for part in plan(settings) if part.after and not part.once}
    for name in names:
        hook = hooks.get(name)
        if hook is None:
            message = f"nothing to prepare on {name}; choose from {', '.join(sorted(hooks))}"
            raise UsageError(message)
        hook(settings)


def main() -> None:
    """Prepare the servers named: `python -m infra.stack.setup postgres s3`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="+", metavar="PART")
    prepare(load_settings(), parser.parse_args().names)


if __name__ == "__main__":
    main()
