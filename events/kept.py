"""A file in the repository that is made from code: the command that checks or renews it."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def keep(
    module: str,
    about: str,
    text: Callable[[], str],
    file: Path,
    arguments: Sequence[str] | None = None,
) -> int:
    """Check or write a file by `--check` or `--write`; returns the exit code.

    Args:
        module: whose command it is, by its full name.
        about: what the command does, for its help.
        text: makes what the file has to hold.
        file: where it lies, unless `--document` (or `--page`) names another place.
        arguments: of the command line; the process's own without them.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="refuse a file that is not what the code says")
    action.add_argument("--write", action="store_true", help="renew the file")
    parser.add_argument("--document", "--page", type=Path, default=file, help="where the file lies")
    options = parser.parse_args(arguments)
    path: Path = options.document
    if options.write:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), "utf-8")
    elif not path.exists() or path.read_text("utf-8") != text():
        sys.stderr.write(f"{path.name} is not what the code says: run `python -m {module} --write`\n")
        return 1
    return 0
