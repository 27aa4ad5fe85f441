"""What the tests of faults share: one account of all that was injected."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.table import Report, repeats


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Iterator[Report]:
    """The table of this session, which each file adds lines to; printed at the end, written where asked."""
    rounds, page = pytestconfig.getoption("rounds"), pytestconfig.getoption("faults_report")
    report = Report(f"`make faults`, {rounds} rounds" if rounds > 1 else "the short version")
    yield report
    report.left = request.session.testscollected - ended(pytestconfig)
    sys.stdout.write(f"\n{report.text()}")
    if page:
        report.write(Path(page))


def ended(config: pytest.Config) -> int:
    """Count the tests of this session that came to an end, well or not."""
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    return sum(len(stats.get(outcome, [])) for outcome in ("passed", "failed", "error", "skipped"))


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> int:
    """How often each fault of a broker is injected."""
    return repeats(int(pytestconfig.getoption("rounds")))
