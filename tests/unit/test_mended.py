"""Which outcomes of a join that ended between two polls are still of use."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import FencedInstanceIdError, KafkaTimeoutError
from kafka.structs import MemberState

from infra.kafka import mended


class Coordinator:
    """A coordinator whose join has ended; it notes what it is to go on with."""

    def __init__(self, join: Any, state: Any = MemberState.REBALANCING) -> None:
        """A join is wanted."""
        self._join_task, self.state, self.asked = join, state, 0

    def need_rejoin(self) -> bool:
        """Say that a join is wanted."""
        return True

    def request_rejoin(self) -> None:
        """Count how often it is wanted once more."""
        self.asked += 1

    async def join_group_async(self, timeout_ms: float | None = None) -> Any:  # noqa: ARG002  (the client's)
        """Tell what there is to await; the client begins anew where a task is done, or there is none."""
        return self._join_task is not None and not self._join_task.is_done


def join(error: BaseException | None = None) -> Any:
    """A join that has ended, well or not."""
    return SimpleNamespace(
        is_done=True, succeeded=lambda: error is None, exception=error, add_callback=None, add_errback=None
    )


@pytest.mark.parametrize(
    ("ended", "state", "kept"),
    [
        (join(), MemberState.REBALANCING, True),
        (join(), MemberState.UNJOINED, False),
        (join(FencedInstanceIdError()), MemberState.REBALANCING, True),
        (join(KafkaTimeoutError()), MemberState.REBALANCING, False),
        (join(ValueError()), MemberState.REBALANCING, False),
    ],
    ids=["joined", "evicted since", "refused", "timed out", "broken"],
)
def test_a_join_that_ended_in_between(ended: Any, state: Any, *, kept: bool) -> None:
    """What it led to is taken; what nobody can take for an outcome is begun anew, not awaited for ever."""
    coordinator: Any = Coordinator(ended, state)
    mended._keep_joins(coordinator)
    step = coordinator.join_group_async()
    with pytest.raises(StopIteration) as told:
        step.send(None)
    assert (told.value.value, coordinator.asked) == (kept, 1)
