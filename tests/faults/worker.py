"""A process that works slices of one partition of `features`, one after the other, as a sensor would.

`python -m tests.faults.worker FLOW PARTITION`, with its settings in the environment, until SIGTERM.
"""

import signal
import sys
from datetime import UTC, datetime
from functools import partial

from kafka import TopicPartition

from events.payloads import OffsetRange
from infra.kafka.bounded import answered
from infra.kafka.pool import Pool
from infra.kafka.reading import committed
from infra.running import request_stop, wait
from infra.settings import load_settings
from sensors.failures import Outcome, classify
from tests.faults.mutants import work

PAUSE_SECONDS = 0.05
AGAIN_SECONDS = 0.5
ASK_SECONDS = 10
MOST = 200
"""Offsets in a slice at most."""
TRANSIENT = (Outcome.AGAIN, Outcome.REPLAN)


def step(pool: Pool, flow: str, spot: TopicPartition) -> None:
    """Do what has come since the group's progress, as one slice."""
    span = OffsetRange(topic=spot.topic, partition=spot.partition, start=0, end=0)
    with pool.reader(flow) as reader:
        at = committed(reader, [span])[spot]
        ask = partial(reader.end_offsets, [spot], timeout_ms=ASK_SECONDS * 1000)
        end = int(answered(ask, ASK_SECONDS, f"the end of {spot}")[spot])
    if end > at:
        work(pool, flow, span.model_copy(update={"start": at, "end": min(end, at + MOST)}))


def main(flow: str, partition: str) -> None:
    """Work until told to end; a failure that the sensors would not take for an outage ends the process."""
    signal.signal(signal.SIGTERM, lambda *_: request_stop())
    pool, spot = Pool(load_settings()), TopicPartition("features", int(partition))
    while not wait(PAUSE_SECONDS):
        try:
            step(pool, flow, spot)
        except Exception as error:
            if classify(error) not in TRANSIENT:
                raise
            sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {type(error).__name__}: {error}\n")
            wait(AGAIN_SECONDS)
    pool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
