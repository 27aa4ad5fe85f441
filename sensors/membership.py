"""A sensor's membership in its flow's group: which partitions are its own, and where the group stands.

A member reads nothing: all partitions are paused, since slices read for themselves. It is a static member:
one name for each sensor and copy, so that a sensor that is back within the session time-out finds its
partitions as they were, and a second sensor of that name displaces the first.
"""

import time
from functools import partial

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    FencedInstanceIdError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from infra import metrics
from infra.errors import StopError, SupersededError, TryAgainError, UnstableError
from infra.kafka import clients
from infra.kafka.bounded import answered, close
from infra.kafka.members import member_name, members
from infra.kafka.reading import missing_offset
from infra.kafka.topics import check
from infra.settings import Settings
from infra.wiring import Route
from sensors.plan import Unit

POLL_SECONDS = 0.5
ANSWER_SECONDS = 5.0
OFFSET_SECONDS = 5
STABLE_MS = 2_000
"""Longer than a commit takes: what holds progress back then is the transaction of a process that died."""
REBALANCE_MS = 60_000
"""How long a rebalance waits for a member that does not poll; a join without an answer is silent as long."""
METADATA_MS = 30_000
"""How soon a changed number of partitions is noticed."""

Offsets = dict[TopicPartition, int]


def my_name(settings: Settings, flow: str) -> str:
    """Name this copy's member of the flow's group, the same after every restart."""
    return member_name(flow, settings.copy_name)


def is_taken(settings: Settings, flow: str) -> bool:
    """Ask the broker whether a member of our name is in the group: one that lives, or died just now.

    Raises:
        TryAgainError: the broker did not answer.
    """
    return my_name(settings, flow) in members(settings, flow)


class Membership:
    """Joins at the first `keep`; every question to the broker is bounded."""

    def __init__(self, settings: Settings, route: Route) -> None:
        """Connect. Raises TryAgainError: no broker."""
        self.settings, self.route = settings, route
        self.polled, self.settled = 0.0, time.monotonic()
        self.held: set[TopicPartition] = set()
        self.consumer: KafkaConsumer = clients.consumer(
            settings,
            group=route.flow,
            client_id=route.name,
            group_instance_id=my_name(settings, route.flow),
            heartbeat_interval_ms=settings.session_timeout_ms // 4,
            max_poll_interval_ms=REBALANCE_MS,
            metadata_max_age_ms=METADATA_MS,
            partition_assignment_strategy=[RangePartitionAssignor],
        )
        self.consumer.subscribe(list(route.topics))

    def keep(self) -> None:
        """Poll now and then, without reading, and look whether all is as it was.

        Raises:
            SupersededError: another sensor of our name has taken our place.
            StopError: an offset is missing or out of range, or a number of partitions has changed.
        """
        if time.monotonic() - self.polled < POLL_SECONDS:
            return
        self.polled = time.monotonic()
        try:
            answered(partial(self.consumer.poll, timeout_ms=50), ANSWER_SECONDS, f"poll of {self.route.name}")
        except NoOffsetForPartitionError as error:
            self._check_partitions()  # a new partition has no progress either, and needs other advice
            raise StopError(missing_offset(self.route.flow, _first_of(error))) from error
        except OffsetOutOfRangeError as error:
            self.require_there(self.progress(tuple(error.args[0])))  # by partition
        except FencedInstanceIdError as error:
            raise SupersededError(self._displaced()) from error
        if _heart_stopped(self.consumer):
            raise SupersededError(self._displaced())
        self._require_settled()
        self._check_partitions()

    def _require_settled(self) -> None:
        """Give a client up that does not get into its group: a join that it has lost never ends by itself."""
        if _settled(self.consumer):
            self.settled = time.monotonic()
        elif time.monotonic() - self.settled > 2 * REBALANCE_MS / 1000:
            message = f"{self.route.name} did not get into its group within {2 * REBALANCE_MS // 1000} s"
            raise TryAgainError(message)

    def _displaced(self) -> str:
        name = my_name(self.settings, self.route.flow)
        return (
            f"another sensor has joined as {name} and taken this one's place: give each copy a name of its"
            f" own (NEPSE_INSTANCE)"
        )

    def _check_partitions(self) -> None:
        def ask() -> dict[str, int]:
            return {t: len(self.consumer.partitions_for_topic(t) or ()) for t in self.route.topics}

        counts = answered(ask, ANSWER_SECONDS, f"partitions of {self.route.name}")
        check(self.settings, {topic: count for topic, count in counts.items() if count})

    def joined(self) -> bool:
        """Tell whether we are in the group, so that `assigned` is what it gave us."""
        return _settled(self.consumer)

    def assigned(self) -> set[TopicPartition]:
        """Tell which partitions are ours now."""
        assigned = set(self.consumer.assignment())
        if fresh := assigned - self.consumer.paused():
            self.consumer.pause(*fresh)
        if assigned != self.held:
            metrics.REBALANCES.labels(self.route.flow).inc()
            self.held = assigned
        return assigned

    def ends(self, spots: list[TopicPartition]) -> Offsets:
        """Ask up to where committed records can be read."""
        ask = partial(self.consumer.end_offsets, spots, timeout_ms=OFFSET_SECONDS * 1000)
        found: Offsets = answered(ask, ANSWER_SECONDS, f"end offsets for {self.route.name}")
        return found

    def progress(self, unit: Unit) -> Offsets:
        """Read the group's stable progress on a unit.

        Raises:
            StopError: it is missing.
            UnstableError: a transaction over it stays open, or the broker is slow to answer.
        """
        found = {}
        for spot in unit:
            ask = partial(self.consumer.committed, spot, timeout_ms=STABLE_MS)
            try:
                offset = answered(ask, ANSWER_SECONDS, f"committed({spot})")
            except KafkaTimeoutError as error:
                where = f"{spot.topic}-{spot.partition}"
                message = f"{self.route.flow}'s progress on {where} is not settled after {STABLE_MS} ms"
                raise UnstableError(message) from error
            if offset is None:
                raise StopError(missing_offset(self.route.flow, spot))
            found[spot] = int(offset)
        return found

    def require_there(self, starts: Offsets) -> None:
        """Make sure that the records from the group's progress on are still (and already) there.

        Raises:
            StopError: the progress lies outside of what the topic holds.
        """
        ask = partial(self.consumer.beginning_offsets, list(starts), timeout_ms=OFFSET_SECONDS * 1000)
        begins = answered(ask, ANSWER_SECONDS, f"beginning offsets for {self.route.name}")
        ends = self.ends(list(starts))
        for spot, start in starts.items():
            if not begins[spot] <= start <= ends[spot]:
                raise StopError(gap(self.route.flow, spot, start, (begins[spot], ends[spot])))

    def close(self) -> None:
        """Disconnect; the broker keeps our place until the session time-out."""
        close(self.consumer)


def gap(flow: str, spot: TopicPartition, at: int, there: tuple[int, int]) -> str:
    """Explain progress that lies outside of a topic, and what a person can do."""
    topic = f"{spot.topic}-{spot.partition}"
    happened = (
        f"records {at} to {there[0] - 1} were removed before {flow} had read them"
        if at < there[0]
        else "the topic was made anew, or the broker has lost its newest records"
    )
    return (
        f"group {flow} is at {at} of {topic}, which holds [{there[0]}, {there[1]}): {happened}. Find out what"
        f" is missing ('nepse lag', 'nepse tail slices --from-beginning'), then set the group's offset with"
        f" Kafka's own tool; it is never moved silently"
    )


def _first_of(error: NoOffsetForPartitionError) -> TopicPartition:
    """Name one partition of those that the client names, alone or in a set."""
    named = error.args[0]
    return named if isinstance(named, TopicPartition) else min(named)


def _heart_stopped(consumer: KafkaConsumer) -> bool:
    """Tell whether the client has been told that its name is somebody else's.

    kafka-python 3.0.12 keeps that to itself: it stops its heartbeat and goes on as if the old assignment were
    good. Nothing public shows it. A member that is settled and has no heartbeat is one that was displaced.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    with coordinator._lock:  # noqa: SLF001
        return _settled(consumer) and not coordinator._heartbeat_enabled  # noqa: SLF001


def _settled(consumer: KafkaConsumer) -> bool:
    """Tell whether the client is a member and nothing is to be joined anew."""
    coordinator = consumer._coordinator  # noqa: SLF001
    return bool(coordinator.stable() and not coordinator.need_rejoin())
