"""The shapes of answers about the system itself."""

from datetime import date as Date  # noqa: N812  (shapes have a field of that name)
from datetime import datetime

from pydantic import Field

from web.shapes import Shape


class ModelLink(Shape):
    """A model version, and its page in MLflow; persistence has none."""

    version: str
    url: str | None


class FlowLine(Shape):
    """How far a flow is on one partition; `lag` counts offsets that the read side knows of."""

    flow: str
    topic: str
    partition: int
    lag: int
    waiting_since: datetime | None
    """When the oldest event was made that waits."""
    last_commit: datetime | None
    latency_s: float | None
    """Seconds from the oldest event of the newest slice to that slice's end."""
    run: str | None
    """The page of the run that committed last."""
    models: list[ModelLink]


class Flow(Shape):
    """A flow: from which topics to which, how it is, and how far it is on each partition."""

    flow: str
    description: str
    reads: list[str]
    writes: list[str]
    sensor: str | None
    state: str | None
    """stopped, stuck, paused, lagging, working, idle (nothing ever came) or well; null: it has no sensor."""
    why: str | None
    lag: int
    waiting_since: datetime | None
    last_commit: datetime | None
    latency_s: float | None
    run: str | None
    models: list[ModelLink]
    open_letters: int
    partitions: list[FlowLine]


class TopicLine(Shape):
    """A topic; `offsets` is how far the read side has read it, over all partitions."""

    topic: str
    events: list[str]
    key: str
    partitions: int
    offsets: int
    last_event: datetime | None


class SensorLine(Shape):
    """What a copy of a sensor on this machine says of itself."""

    sensor: str
    copy_: str = Field(alias="copy")
    state: str
    why: str
    since: str


class Pipeline(Shape):
    """Topics, flows and sensors as they are now."""

    topics: list[TopicLine]
    flows: list[Flow]
    sensors: list[SensorLine]
    open_letters: dict[str, int]
    alerts: dict[str, int]
    links: dict[str, str]


class Letter(Shape):
    """A dead letter without its bytes."""

    letter_id: str
    flow: str | None
    reason: str | None
    error_class: str | None
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    run: str | None
    timestamp: datetime
    size: int
    attempts: int
    resolved: bool
    place: str


class WholeLetter(Letter):
    """A dead letter with key, headers and the beginning of its bytes, base64."""

    headers: dict[str, str]
    key_base64: str | None
    value_base64: str | None
    truncated: bool


class Alert(Shape):
    """An alert as it stands."""

    alert_id: str
    rule: str
    state: str
    severity: str | None
    message: str
    symbol: str | None
    date: Date | None
    value: float | None
    threshold: float | None
    unit: str | None
    labels: dict[str, str]
    runbook: str | None
    historic: bool
    times: int
    first_raised: datetime
    last_raised: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    correlation_id: str | None


class Health(Shape):
    """Whether the server reaches its database, and up to where the read side is."""

    projected: dict[str, int]


class Done(Shape):
    """What a command did, and where to see more."""

    message: str
    url: str | None = None
