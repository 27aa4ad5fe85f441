"""What tests of a whole stack share: waiting until everything is done, and reading topics to their ends."""

from typing import Any

from events.envelope import Event, decode
from events.payloads import Payload
from infra.feature_table import FeatureTable
from infra.kafka import scanning
from infra.kafka.lag import unsettled
from infra.settings import Settings
from tasks.catching_up import await_projection
from tests.copies import eventually

WITHIN = 200
UNTRAINED = {
    "NEPSE_PARTS": '["kafka","s3","postgres","prefect","deploy",'
    '"forecasting","judging","telling","projectors"]',
    "NEPSE_RETRAIN_AFTER_SESSIONS": "100000",
}
"""A stack with every flow and projector, but for what trains."""


def settle(settings: Settings, within: float = WITHIN) -> None:
    """Wait until every flow has done what is there, and the feature table holds it."""
    readers: dict[str, Any] = {}
    eventually(lambda: unsettled(settings, readers) == 0, "the loop is done", within)
    for reader in readers.values():
        reader.close(autocommit=False)
    with scanning.reader(settings) as looking:
        ends, _ = scanning.settled_ends(settings, looking, scanning.spots_of(settings, ["features"]))
    table = FeatureTable(settings)
    await_projection("the feature table", lambda: table.positions(ends), ends)


def events_of(settings: Settings, topic: str, producer: str = "") -> list[Event[Payload]]:
    """All events of a topic, or those of a producer."""
    with scanning.reader(settings) as looking:
        spots = scanning.spots_of(settings, [topic])
        ends, _ = scanning.settled_ends(settings, looking, spots)
        records = [
            record
            for spot in spots
            for batch in scanning.scan(looking, spot, 0, ends[spot.topic, spot.partition])
            for record in batch
        ]
    events = [decode(record.value) for record in records]
    return [event for event in events if not producer or event.producer == producer]
