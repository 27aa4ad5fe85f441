"""The topics: what flows where, keyed how, kept how long. Adding one is adding an entry here."""

from dataclasses import dataclass, field

DAY_MS = 86_400_000
LETTER_BYTES = 4 * 1024 * 1024
FOREVER = {"retention.ms": "-1", "retention.bytes": "-1"}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is created and checked at start.

    `spread` topics get the stack's partition count (they are keyed by symbol); others have one partition.
    `looked_up` topics are read back by the flows that write them: see `infra.kafka.log`.
    """

    name: str
    events: tuple[str, ...]
    key: str
    spread: bool = False
    looked_up: bool = False
    config: dict[str, str] = field(default_factory=lambda: dict(FOREVER))


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(
            "raw-data", ("DataIngested", "DataRetracted"), "symbol (NEPSE: the whole market)", looked_up=True
        ),
        Topic("features", ("FeaturesComputed",), "symbol", spread=True),
        Topic("predictions", ("PredictionMade",), "symbol", spread=True),
        Topic("shadows", ("ShadowPredicted",), "symbol", spread=True),
        Topic("actuals", ("ActualAvailable",), "symbol", spread=True),
        Topic("errors", ("ErrorComputed", "PredictionExpired"), "symbol", spread=True),
        Topic("training", ("ModelRetrainingTriggered",), "model name", looked_up=True),
        Topic("models", ("ModelTrained", "ModelPromoted"), "model name", looked_up=True),
        Topic("alerts", ("AlertRaised", "AlertResolved", "AlertAcknowledged"), "rule"),
        Topic("slices", ("SliceCommitted",), "flow"),
        Topic(
            "dead-letters",
            (),
            "the original record's key",
            config={**FOREVER, "max.message.bytes": str(LETTER_BYTES)},
        ),
        Topic("redrives", ("LetterRetried", "LetterResolved"), "letter id", looked_up=True),
    )
}

CO_PARTITIONED = ("predictions", "actuals")
"""Joined by symbol: they must have the same number of partitions and the same hash."""
