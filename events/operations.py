"""What the system says of its own work: the ledger of slices, and the stories of dead letters."""

from typing import ClassVar

from pydantic import Field

from events.fields import Count, Ordinal, Payload, Text


class OffsetRange(Payload):
    """Offsets `[start, end)` of a topic-partition."""

    topic: Text
    partition: Count
    start: Count
    end: Count

    def __str__(self) -> str:
        """Write the range as people read it: `features-2 [120, 470)`."""
        return f"{self.topic}-{self.partition} [{self.start}, {self.end})"


class SliceCommitted(Payload):
    """The ledger: this run turned these input ranges into these numbers of records, once."""

    schema_version: ClassVar[int] = 2

    flow: Text
    group: Text
    ranges: list[OffsetRange]
    run_id: Text
    attempt: Ordinal = 1
    counts: dict[str, Count] = Field(default={})
    model_versions: list[Text] = Field(default=[])
    feature_set: Text | None = None
    code_version: Text | None = None
    outputs: list[OffsetRange] = Field(default=[])
    """Where the slice's events and dead letters lie, first to last; others' records may lie between them."""
    looked_up: list[OffsetRange] = Field(default=[])
    """How far the topics that the flow looks things up in had been read."""

    @property
    def key(self) -> str:
        """The ledger is ordered by flow."""
        return self.flow


class LetterRetried(Payload):
    """A dead letter was tried again and failed again."""

    letter_id: Text
    attempt: Ordinal
    reason: Text

    @property
    def key(self) -> str:
        """One letter's story stays in order."""
        return self.letter_id


class LetterResolved(Payload):
    """A dead letter was tried again and went through."""

    letter_id: Text
    attempt: Ordinal
    run_id: Text | None = None

    @property
    def key(self) -> str:
        """One letter's story stays in order."""
        return self.letter_id
