"""`make guards`: takes each guard out of a copy of the source, and requires that its test fails there."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue

from tests.guards.table import GUARDS, ROOT, Guard

FAILED = 1
"""pytest's exit code for tests that failed; others mean that none ran."""
TEST_SECONDS, RUN_SECONDS = "150", 300
PAGE = ROOT / "docs" / "reference" / "guards.md"
HEAD = """\
# Guards

What each guard is for, and the test that fails when it is taken out: `make guards`, {day}. Each line was
tried: the test passed, the guard was removed from a copy of the source, and the test failed.

| guard | where | test that fails without it |
|---|---|---|
"""


def copied(folder: Path) -> Path:
    """Copy what git knows, or would know, of the project; the broker's jars are linked."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    if (ROOT / ".jars").exists():
        (folder / ".jars").symlink_to(ROOT / ".jars")
    return folder


def outcome(folder: Path, *tests: str, seconds: float = RUN_SECONDS) -> tuple[int, str]:
    """Run tests on the copy; returns pytest's exit code and what it printed."""
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", TEST_SECONDS, *tests]
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "guards",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def require_whole(folder: Path, guards: Iterable[Guard]) -> None:
    """Require that every test passes while all guards are there: else its failure would tell nothing.

    Raises:
        SystemExit: one fails.
    """
    tests = sorted({guard.test for guard in guards})
    code, printed = outcome(folder, *tests, seconds=RUN_SECONDS * len(tests))
    if code:
        message = f"with all guards in place pytest ended with {code}:\n{printed[-4_000:]}"
        raise SystemExit(message)
    sys.stdout.write(f"{len(tests)} tests pass with all guards in place\n")


def missed(folder: Path, guard: Guard) -> str:
    """Take a guard out and put it back; says what its test printed if it did not fail."""
    file = folder / guard.file
    whole = file.read_text()
    file.write_text(guard.without)
    try:
        code, printed = outcome(folder, guard.test)
    except subprocess.TimeoutExpired as error:
        return str(error)
    finally:
        file.write_text(whole)
    return "" if code == FAILED else f"pytest ended with {code}:\n{printed[-2_000:]}"


def tried(folders: Iterable[Path], guards: Sequence[Guard]) -> int:
    """Try guards on copies of the source, one at a time on each; returns how many were not missed."""
    free: Queue[Path] = Queue()
    for folder in folders:
        free.put(folder)

    def missing(guard: Guard) -> str:
        folder = free.get()
        try:
            return missed(folder, guard)
        finally:
            free.put(folder)

    silent = 0
    with ThreadPoolExecutor(free.qsize()) as threads:
        for number, (guard, why) in enumerate(
            zip(guards, threads.map(missing, guards), strict=True), start=1
        ):
            silent += bool(why)
            told = f"NOT NOTICED, {why}" if why else "noticed"
            sys.stdout.write(f"{number}/{len(guards)} {guard.promise}: {told}\n")
            sys.stdout.flush()
    return silent


def page(guards: Iterable[Guard]) -> str:
    """Write the table."""
    rows = [
        f"| {guard.promise} | `{guard.file}` | `{guard.test.partition('::')[2]}` in `{_file(guard)}` |"
        for guard in guards
    ]
    return HEAD.format(day=datetime.now(UTC).date()) + "\n".join(rows) + "\n"


def _file(guard: Guard) -> str:
    return guard.test.partition("::")[0]


def main() -> None:
    """Try the guards, all or those whose promise or file holds a text."""
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("--only", default="", help="a part of the promise, the file or the test")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried side by side")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} if all tests failed")
    options = parser.parse_args()
    chosen = [g for g in GUARDS if options.only in f"{g.promise} {g.file} {g.test}"]
    with tempfile.TemporaryDirectory(prefix="nepse-guards-") as name:
        folders = [copied(Path(name) / str(number)) for number in range(options.jobs)]
        require_whole(folders[0], chosen)
        silent = tried(folders, chosen)
    if silent:
        message = f"{silent} guards can be taken out without their test failing"
        raise SystemExit(message)
    if options.write:
        PAGE.write_text(page(chosen))


if __name__ == "__main__":
    main()
