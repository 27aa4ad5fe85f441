"""Faults of kafka-python 3.0.12 that are mended from outside, since nothing public reaches them.

A member polls for 50 ms every half second, and its join goes on in the client's I/O thread in between.
`ConsumerCoordinator.join_group_async` (coordinator/base.py) is not made for that:

- A join that has ended when nobody polled is thrown away and begun anew; a leader's new join makes everybody
  join again. On a slow or busy line it never ends.
- What asked for the join (new metadata, a subscription) is erased while the join is under way. If it does not
  end within the same poll, nothing asks for it any more: the member stays outside its group for ever, without
  heartbeat and without a word.

Either cost an operator minutes after a kill; tests/faults/test_connection.py shows both.
"""

from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import MemberState

WAKE_SECONDS = 1.0
"""So long the I/O thread sleeps at most: a task whose wake-up got lost is found then."""


class _Ended:
    """A join that has ended and whose outcome nobody has taken: the client is to take it now."""

    is_done = False

    def __init__(self, join: Any) -> None:
        """Stand in for the task."""
        self.add_callback, self.add_errback = join.add_callback, join.add_errback


def mended(consumer: KafkaConsumer) -> KafkaConsumer:
    """Mend a new consumer; one without a group joins nothing, and is only kept awake."""
    _keep_joins(consumer._coordinator)  # noqa: SLF001
    _keep_awake(consumer._net)  # noqa: SLF001
    return consumer


def _keep_joins(coordinator: Any) -> None:
    """Take the outcome of a join that ended in between, and want a join until one has succeeded."""
    join_group = coordinator.join_group_async

    async def join_group_async(timeout_ms: float | None = None) -> Any:
        if coordinator.need_rejoin():
            coordinator.request_rejoin()
        join = coordinator._join_task  # noqa: SLF001
        if join is not None and join.is_done:
            lost = _is_lost(join, coordinator.state)
            coordinator._join_task = None if lost else _Ended(join)  # noqa: SLF001
        return await join_group(timeout_ms)

    coordinator.join_group_async = join_group_async


def _is_lost(join: Any, state: Any) -> bool:
    """Tell whether a join's outcome is of no use: its member was evicted since, or it timed out by itself.

    The client takes a time-out for that of its own wait, and would find the same one for ever.
    """
    if join.succeeded():
        return state is not MemberState.REBALANCING
    return isinstance(join.exception, KafkaTimeoutError) or not isinstance(join.exception, KafkaError)


def _keep_awake(net: Any) -> None:
    async def tick() -> None:
        while True:
            await net.sleep(WAKE_SECONDS)

    net.call_soon_threadsafe(tick)
