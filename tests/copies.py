"""Sensors of a test on a real broker: without Prefect, their slices are done by a plain function."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from events.payloads import FeaturesComputed, OffsetRange
from infra.kafka.records import Run, of_kind, partition_of
from infra.kafka.slices import open_slice
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors.dispatch import Dispatcher, Result
from sensors.failures import Outcome, classify
from sensors.plan import Unit
from sensors.sensor import Sensor
from tests.desk import Desk, event, predict, vector

SPOTS = [TopicPartition("features", number) for number in range(3)]
SYMBOLS = {partition_of(f"S{n}".encode(), 3): f"S{n}" for n in range(20)}
"""A symbol for each partition."""

Before = Callable[[list[OffsetRange]], None]


def eventually(true: Callable[[], bool], what: str, within: float = 60.0) -> None:
    """Wait until something holds, for a bounded time."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)


def place(desk: Desk, offsets: dict[TopicPartition, int]) -> None:
    """Set a group's progress, as Kafka's own tool would."""
    desk.admin_group.assign(list(offsets))
    desk.admin_group.commit({spot: OffsetAndMetadata(at, "", -1) for spot, at in offsets.items()})


def stand_at_the_end(desk: Desk) -> None:
    """Begin with nothing to do on all partitions of `features`."""
    place(desk, {spot: desk.end("features", spot.partition) for spot in SPOTS})


def caught_up(desk: Desk) -> bool:
    """Tell whether nothing is left to do."""
    ends = {spot: desk.end("features", spot.partition) for spot in SPOTS}
    return all(desk.admin_group.committed(spot) == end for spot, end in ends.items())


def pour(desk: Desk, rounds: int) -> int:
    """Publish vectors to every partition, a transaction a round; returns how many they were."""
    producer = desk.pool.new_producer(f"pour-{desk.flow}").producer
    for _ in range(rounds):
        producer.begin_transaction()
        for number, symbol in SYMBOLS.items():
            producer.send("features", value=event(vector(symbol)), partition=number)
        producer.commit_transaction()
    producer.close()
    return rounds * len(SYMBOLS)


class Slices:
    """Does slices as a flow does; `before` is called with them once they are read."""

    def __init__(self, desk: Desk, died: list[list[OffsetRange]] | None = None) -> None:
        """Nothing has been done."""
        self.desk, self.died = desk, died or []
        self.results: list[Result] = []
        self.seen: list[list[OffsetRange]] = []
        self.before: Before = lambda _: None

    def __call__(self, ranges: list[OffsetRange]) -> Result:
        """Do each slice; failures become results as the dispatcher makes them."""
        try:
            for one in ranges:
                self._one(one)
            result = Result(Outcome.DONE)
        except Exception as error:  # noqa: BLE001 - whatever it is, as the dispatcher does
            result = Result(classify(error), f"{type(error).__name__}: {error}", error)
        self.results.append(result)
        return result

    def _one(self, span: OffsetRange) -> None:
        self.seen.append([span])
        with open_slice(self.desk.pool, Run(self.desk.flow, "run"), [span]) as work:
            if work.done:
                return
            received = of_kind(work.read(), FeaturesComputed)
            self.before([span])
            for one in received:
                predict(work, one)
            work.commit()

    def deaths(self) -> list[list[OffsetRange]]:
        """Tell what ended with its process."""
        return self.died

    def release(self, unit: Unit) -> None:
        """End what a process left open, as the dispatcher does."""
        route = Route("sensor-test", self.desk.flow, ("features",))
        Dispatcher(self.desk.settings, route).release(unit)


class Pairs(Slices):
    """Does slices of a pair: reads both sides, publishes nothing."""

    def __call__(self, ranges: list[OffsetRange]) -> Result:
        """Do each pair, one after the other."""
        both = [ranges[n : n + 2] for n in range(0, len(ranges), 2)]
        try:
            for pair in both:
                with open_slice(self.desk.pool, Run(self.desk.flow, "run"), pair) as work:
                    if not work.done:
                        work.read()
                        work.commit()
            result = Result(Outcome.DONE)
        except Exception as error:  # noqa: BLE001 - whatever it is, as the dispatcher does
            result = Result(classify(error), f"{type(error).__name__}: {error}", error)
        self.seen += both
        self.results.append(result)
        return result


class Copy:
    """One copy of a sensor in a thread of its own."""

    def __init__(
        self,
        desk: Desk,
        name: str,
        execute: Any = None,
        topics: tuple[str, ...] = ("features",),
        **overrides: Any,
    ) -> None:
        """Start it; of several topics it works the pairs."""
        kept = {"session_timeout_ms": 6_000, **overrides}
        self.settings: Settings = load_settings(desk.settings.home, instance=name, **kept)
        self.execute = execute or Slices(desk)
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        most = overrides.get("slice_records")
        route = Route(f"sensor-{desk.flow}", desk.flow, topics, paired=len(topics) > 1, records=most)
        self.sensor = Sensor(self.settings, route, self.execute, self.stopping, logging.getLogger("copy"))
        self.thread = threading.Thread(target=self._run, name=name)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.sensor.run()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    @property
    def units(self) -> int:
        """How many partitions are its own."""
        return len(self.sensor.work)

    def end(self) -> BaseException | None:
        """Stop it and say what ended it."""
        self.stopping.set()
        return self.ended()

    def ended(self, within: float = 30.0) -> BaseException | None:
        """Wait until it has ended by itself; says why."""
        self.thread.join(within)
        assert not self.thread.is_alive()
        return self.error
