"""Which open transactions should have ended by themselves."""

from collections.abc import Iterable
from typing import Protocol

from tasks.core.findings import Finding

SLACK_SECONDS = 60.0
"""The broker looks for transactions past their time-out every 10 s; clocks differ."""


class Open(Protocol):
    """A transaction that is not over, as `infra.kafka.open_transactions` tells it."""

    @property
    def transactional_id(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def timeout(self) -> float: ...  # noqa: D102
    @property
    def places(self) -> tuple[str, ...]: ...  # noqa: D102


def hanging(transactions: Iterable[Open], slack: float = SLACK_SECONDS) -> list[Finding]:
    """Find transactions older than their time-out: what lies behind them is invisible to every reader."""
    return [
        Finding(
            "hanging",
            t.transactional_id,
            f"open for {t.seconds:.0f} s ({t.state}), its time-out is {t.timeout:.0f} s;"
            f" readers wait in {', '.join(t.places) or 'no partition'}",
        )
        for t in transactions
        if t.seconds > t.timeout + slack
    ]
