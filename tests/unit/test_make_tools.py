"""`make tools` installs what tests need, piece by piece, within bounds, and says what it could not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
MAKE = shutil.which("make")
OTHERS = ("timeout", "tail", "mkdir", "sh")
APT = """#!/bin/sh
echo "$@" >>asked
case "$*" in *chromium*) echo "no network here" >&2; exit 100;; esac
"""
pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make here")


class Machine:
    """A folder with the Makefile, and a search path on which only what a test puts there is found."""

    def __init__(self, home: Path) -> None:
        """Hold the usual commands, an apt-get that fails for a browser, and a user who is root."""
        self.home, self.bin = home, home / "bin"
        self.bin.mkdir()
        shutil.copy(MAKEFILE, home)
        for name in OTHERS:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.command("apt-get", APT)
        self.command("id", "#!/bin/sh\necho 0\n")

    def command(self, name: str, script: str = "#!/bin/sh\n") -> None:
        """Put a command on the search path."""
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def tools(self) -> str:
        """Run `make tools`, and give what it says."""
        environment = {name: value for name, value in os.environ.items() if name != "NEPSE_BROWSER"}
        done = subprocess.run(
            [str(MAKE), "--no-print-directory", "tools"],
            cwd=self.home,
            env=environment | {"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout + done.stderr

    @property
    def asked(self) -> list[str]:
        """What apt-get was asked, call by call."""
        told = self.home / "asked"
        return told.read_text().splitlines() if told.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that has neither a browser nor promtool."""
    return Machine(tmp_path)


def test_each_package_is_installed_by_itself_and_within_bounds(machine: Machine) -> None:
    """One that fails keeps no other away, and its last line is shown."""
    said = machine.tools()
    assert [line.rsplit(maxsplit=1)[-1] for line in machine.asked] == ["update", "chromium", "prometheus"]
    assert all("Timeout=20" in line and "DPkg::Lock::Timeout=60" in line for line in machine.asked)
    assert "that failed, so tests are skipped (.venv/apt.log): no network here" in said
    assert said.count("that failed") == 1


@pytest.mark.parametrize("browser", ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
def test_whatever_browser_the_tests_accept_is_enough(machine: Machine, browser: str) -> None:
    """Nothing is asked for that is there."""
    machine.command(browser)
    machine.command("promtool")
    assert machine.tools() == ""
    assert machine.asked == []


def test_who_is_not_root_is_told(machine: Machine) -> None:
    """What is missing, and that tests are skipped for it."""
    machine.command("id", "#!/bin/sh\necho 1000\n")
    assert "those that need this are skipped: chromium prometheus" in machine.tools()
    assert machine.asked == []
