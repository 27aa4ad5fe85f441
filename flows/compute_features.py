"""Step 2: an ingested session becomes a feature vector for every symbol that traded."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from events.payloads import DataIngested, DataRetracted, OffsetRange
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.kafka.work import Work
from tasks.core.features import FEATURE_SET
from tasks.deliveries import read_once
from tasks.features import compute_vectors
from tasks.retractions import withdrawn_vectors
from tasks.work import Account, process


@flow(name="compute-features")
def compute_features(slices: list[OffsetRange]) -> State[Any]:
    """Publish FeaturesComputed for every DataIngested of the slices, and what a DataRetracted takes back."""
    return process("compute-features", slices, steps)


def steps(loop: Loop, work: Work) -> Account:
    """Compute the vectors of every session of the slice."""
    received = read_once(loop, work)
    ingested = of_kind(received, DataIngested)
    vectors = compute_vectors(loop, ingested)
    for cause, error in vectors.refused:
        work.reject(cause, str(error), error)
    for cause, payloads in vectors.computed:
        for payload in payloads:
            work.publish("features", payload, cause, payload.symbol, payload.revision)
    for source, payloads in withdrawn_vectors(loop, [*ingested, *of_kind(received, DataRetracted)]):
        for payload in payloads:
            work.publish("features", payload, source, payload.symbol, payload.revision)
            work.count("retracted")
    days = sorted(cause.payload.date for cause, _ in vectors.computed)
    told = f"sessions {days[0]} to {days[-1]}" if len(days) > 1 else f"session {days[0]}" if days else ""
    return Account(told, feature_set=FEATURE_SET)
