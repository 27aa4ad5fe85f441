"""The shapes of answers about the system itself."""

from datetime import date as Date  # noqa: N812  (shapes have a field of that name)
from datetime import datetime
from typing import Any

from web.shapes import Shape


class FlowLine(Shape):
    """How far a flow is on one partition; `lag` counts offsets that the read side knows of."""

    flow: str
    topic: str
    partition: int
    lag: int
    last_commit: datetime | None
    run: str | None


class Pipeline(Shape):
    """Topics, flows and sensors as they are now."""

    topics: dict[str, int]
    flows: list[FlowLine]
    sensors: list[dict[str, Any]]
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
