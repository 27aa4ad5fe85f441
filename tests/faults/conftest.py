"""What the tests of faults share: one account of all that was injected."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.table import Report, repeats


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Iterator[Report]:
    """The table of this session, which each file adds lines to; printed at the end, written where asked."""
    rounds, page = pytestconfig.getoption("rounds"), pytestconfig.getoption("faults_report")
    report = Report(f"`make faults`, {rounds} rounds" if rounds > 1 else "the short version")
    yield report
    sys.stdout.write(f"\n{report.text()}")
    if page:
        report.write(Path(page))


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> int:
    """How often each fault of a broker is injected."""
    return repeats(int(pytestconfig.getoption("rounds")))
