"""Running a server that refuses to be root under another account, when we are root."""

import os
import pwd
import shutil
from pathlib import Path

from infra.errors import StackError

ACCOUNTS = ("postgres", "nobody")
DAC_OVERRIDE = 1 << 1


def other_account() -> pwd.struct_passwd | None:
    """Pick the account for a server that refuses to be root; None when we aren't root ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ACCOUNTS:
        if name in known:
            return known[name]
    message = f"Postgres can't run as root, and none of the accounts {', '.join(ACCOUNTS)} exists: add one"
    raise StackError(message)


def give(thing: Path | int) -> None:
    """Make a folder, or an open file, the other account's own."""
    entry = other_account()
    if entry is not None:
        os.chown(thing, entry.pw_uid, entry.pw_gid)


def run_as(command: list[str], folders: tuple[Path, ...]) -> list[str]:
    """Put a change of account in front of a command that has to reach `folders`.

    A folder below one that only root may enter (a root's home, `mktemp -d`) would be out of reach. Rather
    than open somebody's folders, the server then keeps root's right to pass through them, and only that
    account change is made.

    Raises:
        StackError: `setpriv` is missing, or root's right is not ours to pass on.
    """
    entry = other_account()
    if entry is None:
        return command
    if shutil.which("setpriv") is None:
        message = "Postgres can't run as root: install setpriv (package util-linux), or be another user"
        raise StackError(message)
    change = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    blocked = next((path for path in map(first_closed, folders) if path), None)
    return [*change, *(_passage(blocked, entry) if blocked else []), *command]


def first_closed(folder: Path) -> Path | None:
    """Find the outermost parent that others may not enter; None when the way is open."""
    return next((path for path in reversed(folder.parents) if not path.stat().st_mode & 0o001), None)


def _passage(blocked: Path, entry: pwd.struct_passwd) -> list[str]:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff")), 0)
    if not held & DAC_OVERRIDE:
        message = (
            f"Postgres runs as {entry.pw_name} here, who may not enter {blocked}: "
            f"choose another folder with --home, or chmod o+x {blocked}"
        )
        raise StackError(message)
    # With the securebit access(2), by which Postgres looks for its own programs, counts the right too.
    return ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
