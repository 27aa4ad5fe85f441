"""What a slice costs when its flow computes nothing: Prefect's part, the steps of the slice, the broker's.

`python -m bench.overhead HOME` works slices of one record on the stack that its environment names.
"""

import argparse
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

from events.envelope import Event, Metadata, encode
from events.payloads import FeaturesComputed, OffsetRange
from infra.bootstrap import Loop
from infra.kafka import clients
from infra.kafka.records import Outgoing
from infra.kafka.slices import Slice
from infra.kafka.source import Source
from infra.kafka.work import Work
from infra.settings import Settings, load_settings
from infra.wiring import Route
from sensors.dispatch import Dispatcher
from sensors.failures import Outcome
from tasks.work import Account, process

FLOW = "empty"
SYMBOL = "NICA"
"""Belongs into partition 0."""
SPOT = TopicPartition("features", 0)
STEPS = {"open": "look and init (steps 1, 2)", "read": "read and decode (3, 4)", "commit": "transaction (6)"}
PREFECT = "Prefect: create, start and end the run, its artifact"


@flow(name=FLOW)
def empty(slices: list[OffsetRange]) -> State[Any]:
    """Read the slices and let nothing follow from them."""
    return process(FLOW, slices, _nothing)


def _nothing(_: Loop, work: Work) -> Account:
    work.read()
    return Account()


class Clock:
    """The time that the parts of slices took, in seconds, one entry a slice."""

    def __init__(self) -> None:
        """Watch every slice of this process."""
        self.spent: Counter[str] = Counter()
        for name, part in STEPS.items():
            setattr(Slice, name, self._timed(getattr(Slice, name), part))

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.running(part):
                return call(*arguments, **named)

        return timed

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """Add the block's time to a part's."""
        began = time.perf_counter()
        yield
        self.spent[part] += time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """Give what was spent since the last time; Prefect's is what the steps leave of the whole."""
        spent, self.spent = dict(self.spent), Counter()
        whole = spent.pop("whole")
        return {PREFECT: whole - sum(spent.values()), **spent}


def deploy() -> None:
    """Make a deployment of the empty flow, which nobody runs but this process."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow_from_name(FLOW)
        client.create_deployment(flow_id, FLOW, entrypoint="bench.overhead.empty")


def records(settings: Settings, number: int) -> list[OffsetRange]:
    """Commit so many records, each in a transaction of its own, and give the range of each."""
    reader = clients.consumer(settings, group=FLOW)
    reader.assign([SPOT])
    reader.commit({SPOT: OffsetAndMetadata(_end(reader), "", -1)})
    source, found, start = Source(Loop(settings).pool, FLOW), [], _end(reader)
    source.open()
    for _ in range(number):
        payload = FeaturesComputed(symbol=SYMBOL, date=date(2024, 1, 1), features={}, last_close=1.0)
        name = uuid.uuid4().hex
        event = Event(datetime.now(UTC), FLOW, payload, Metadata(name, name))
        source.publish([Outgoing(SPOT.topic, SYMBOL.encode(), encode(event))])
        while (end := _end(reader)) < start + 2:  # the record and its transaction's marker
            time.sleep(0.001)
        found.append(OffsetRange(topic=SPOT.topic, partition=SPOT.partition, start=start, end=end))
        start = end
    source.close()
    reader.close(autocommit=False)
    return found


def _end(reader: Any) -> int:
    return int(reader.end_offsets([SPOT])[SPOT])


def measure(settings: Settings, slices: int) -> dict[str, dict[str, float]]:
    """Run each slice as a sensor does; gives milliseconds a part, of the first slice and of the others."""
    deploy()
    execute = Dispatcher(settings, Route(f"sensor-{FLOW}", FLOW, (SPOT.topic,)))
    first, *others = records(settings, slices + 1)
    clock, found = Clock(), {}
    for name, ranges in (("first", [first]), ("warm", others)):
        for span in ranges:
            with clock.running("whole"):
                result = execute([span])
            if result.outcome is not Outcome.DONE:
                raise SystemExit(result.why)
        found[name] = {part: s * 1000 / len(ranges) for part, s in clock.take().items()}
    return found


def main() -> None:
    """Measure on the stack of a home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--slices", type=int, default=100)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(measure(load_settings(options.home), options.slices)) + "\n")


if __name__ == "__main__":
    main()
