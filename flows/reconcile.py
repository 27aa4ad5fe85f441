"""Daily after the close: every input accounted for once, every cause there, every offset in the ledger."""

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from infra.errors import UnsoundError
from infra.settings import load_settings
from tasks.reconciling import close_runs, reconcile_all


@flow(name="reconcile")
def reconcile() -> dict[str, Any]:
    """Check the topics against what was promised of them; the run fails when a person has to look.

    Raises:
        UnsoundError: something serious was found; its report has all of it.
    """
    settings = load_settings()
    report = reconcile_all(settings, close_runs(settings))
    accounts = [account.as_dict() for account in report.accounts]
    create_table_artifact(table=accounts, key="reconcile-accounts", description=report.message)
    if report.findings:
        findings = [finding.as_dict() for finding in report.findings]
        create_table_artifact(table=findings, key="reconcile-findings", description=report.message)
    if not report.sound:
        raise UnsoundError(report.message, report.as_dict())
    return report.as_dict()
