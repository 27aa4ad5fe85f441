"""Reconciling: what was promised of the topics, checked against the topics themselves."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from infra.kafka.open_transactions import open_transactions
from infra.prefect_lost import close_lost
from infra.prefect_orphans import close_orphans
from infra.settings import Settings
from infra.wiring import routes
from tasks.core.accounting import Account, Input, settle
from tasks.core.causes import broken_causes, delivered_again
from tasks.core.findings import Finding, shortened, told
from tasks.core.hanging import hanging
from tasks.core.pairing import unexpected
from tasks.core.tiling import Progress, untiled
from tasks.surveying import FLOWS, Survey, survey


@dataclass(frozen=True)
class Report:
    """How a reconciliation ended: what became of every flow's inputs, and what was found."""

    accounts: list[Account]
    findings: list[Finding]
    records: int

    @property
    def sound(self) -> bool:
        """Whether nothing is there that a person has to look at."""
        return not any(f.serious for f in self.findings)

    @property
    def message(self) -> str:
        """One sentence."""
        return f"{self.records} offsets read: {told(self.findings)}"

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON types."""
        return {
            "sound": self.sound,
            "message": self.message,
            "accounts": [account.as_dict() for account in self.accounts],
            "findings": [finding.as_dict() for finding in self.findings],
        }


def reconcile_all(settings: Settings, found_before: Iterable[Finding] = ()) -> Report:
    """Read all topics once and take every check; `found_before` goes into the report as well.

    Raises:
        TryAgainError: the broker is away.
    """
    seen = survey(settings)
    accounts, found = outcomes(seen)
    for check in CHECKS:
        found += check(settings, seen)
    return Report(accounts, shortened([*seen.findings, *found_before, *found]), seen.read)


def close_runs(settings: Settings) -> list[Finding]:
    """Close the runs that nobody will end any more, wherever they ran, with what really became of them.

    Raises:
        TryAgainError: the Prefect server or the broker is away.
    """
    closed = [
        (flow, one) for flow in FLOWS for one in (*close_orphans(settings, flow), *close_lost(settings, flow))
    ]
    for route in routes():
        closed += [(route.name, one) for one in close_lost(settings, route.name, route.flow, lasting=True)]
    return [
        Finding("closed-run", where, f"{one.name} ended as {one.state}: {settings.run_page(one.run_id)}")
        for where, one in closed
    ]


def outcomes(seen: Survey) -> tuple[list[Account], list[Finding]]:
    """Account for every input of every flow."""
    accounts, found = [], []
    for (flow, topic, partition), progress in sorted(seen.progress.items()):
        account, faults = settle(Input(flow, topic, partition, progress.before), seen.places, seen.known)
        accounts.append(account)
        found += faults
    return accounts, found


def ledger(_: Settings, seen: Survey) -> list[Finding]:
    """Hold the slices of every flow against its progress; a flow without progress has no slices either."""
    found = []
    for place in sorted({*seen.progress, *seen.tiles}):
        flow, topic, partition = place
        progress = seen.progress.get(place, Progress(0, 0))
        found += untiled(f"{flow} on {topic}-{partition}", seen.tiles.get(place, []), progress)
    return found


def errors(_: Settings, seen: Survey) -> list[Finding]:
    """Look for errors that no prediction and actual make."""
    return unexpected(seen.places, seen.pairs, seen.below, seen.known)


def causes(_: Settings, seen: Survey) -> list[Finding]:
    """Look up the cause that each event names."""
    return broken_causes(seen.places, seen.below, FLOWS)


def repeated(_: Settings, seen: Survey) -> list[Finding]:
    """Look for events that are there twice."""
    return delivered_again(seen.places, FLOWS)


def transactions(settings: Settings, _: Survey) -> list[Finding]:
    """Look for transactions that hold up every reader."""
    return hanging(open_transactions(settings))


Check = Callable[[Settings, Survey], list[Finding]]

CHECKS: tuple[Check, ...] = (ledger, errors, causes, repeated, transactions)
"""Every check after the accounts; a new one is a function that returns findings, added here."""
