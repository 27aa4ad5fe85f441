"""Publishing without input offsets, against the real broker."""

from datetime import UTC, date, datetime, timedelta

from events.envelope import Event, Metadata, derive_id, encode
from events.payloads import ModelRetrainingTriggered
from infra.kafka.log import TopicLog
from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.settings import Settings

ROUNDS = 20


def test_a_source_finds_what_it_just_published(stack: Settings) -> None:
    """Looked up right after `publish`, an event is there: no round begins without the one before."""
    pool, log = Pool(stack), TopicLog(stack, "models")
    source = Source(pool, "test-source")
    source.open()
    try:
        missed = [n for n in range(ROUNDS) if not _found_after_publishing(source, log, n)]
    finally:
        source.close()
        log.close()
        pool.close()
    assert missed == []


def _found_after_publishing(source: Source, log: TopicLog, number: int) -> bool:
    payload = ModelRetrainingTriggered(reason="test", data_end_date=date(1990, 1, 1) + timedelta(number))
    event_id = derive_id("test-source", str(number), "round")
    metadata = Metadata(event_id, event_id, payload.schema_version, None, "test")
    event = Event(datetime.now(UTC), "test-source", payload, metadata)
    source.publish([Outgoing("models", b"test", encode(event))])
    log.refresh()
    return log.has(event_id)
