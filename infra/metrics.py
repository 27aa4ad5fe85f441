"""The metrics of this process, for Prometheus to scrape: names with their units, and how they are fed.

What a label may hold is bounded by the wiring: flows, topics, partitions, outcomes, routes, model versions of
the newest session. Never a symbol, a run's id or an offset.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics, start_http_server

from infra.settings import Settings
from infra.telemetry.owned import Owned
from infra.telemetry.ports import port_of
from infra.wiring import routes

disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_FEW_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_RECORDS = (1, 10, 100, 500, 1_000, 5_000, 10_000, 20_000)

BUILD = Gauge("nepse_build_info", "The version of the code that runs; always 1.", ["version"])
RECORDS = Counter(
    "nepse_records_total",
    "Records that were read (in) and published (out), committed.",
    ["flow", "direction"],
)
BYTES = Counter("nepse_bytes_total", "Bytes of their values, uncompressed.", ["flow", "direction"])
SLICE_RECORDS = Histogram("nepse_slice_records", "Records of a slice.", ["flow"], buckets=_RECORDS)
SLICE_DURATION = Histogram(
    "nepse_slice_duration_seconds", "From the opening of a slice to its commit.", ["flow"], buckets=_SECONDS
)
SLICE_DELAY = Histogram(
    "nepse_slice_delay_seconds", "From a slice's oldest record to its commit.", ["flow"], buckets=_SECONDS
)
RETRIES = Counter("nepse_retries_total", "Slices that have to be tried again, by why.", ["flow", "outcome"])
DEAD_LETTERS = Counter("nepse_dead_letters_total", "Records that were given up.", ["flow"])
REBALANCES = Counter("nepse_rebalances_total", "Changes of the partitions that a sensor owns.", ["flow"])
ABORTS = Counter(
    "nepse_transaction_aborts_total", "Transactions that were begun and not committed.", ["flow", "reason"]
)
ALERTS = Counter("nepse_alerts_raised_total", "Alerts about single errors, by rule.", ["rule"])

OWNED = Owned("nepse_lag_offsets", "nepse_lag_seconds")
"""The lag of the partitions that this process works off, as it sees it."""

WATCHED_OFFSETS = Gauge(
    "nepse_watched_lag_offsets", "Lag of each flow, asked of the broker.", ["flow", "topic", "partition"]
)
WATCHED_SECONDS = Gauge(
    "nepse_watched_lag_seconds", "Age of the oldest record not worked off.", ["flow", "topic", "partition"]
)
WATCH_LOOKED = Gauge(
    "nepse_watch_look_timestamp_seconds", "When the watch last looked, since 1970.", registry=None
)
MODEL = Gauge("nepse_model_version_info", "The version that serves; always 1.", ["model_version", "role"])
ERROR = Gauge(
    "nepse_prediction_error_ratio",
    "Mean size of the newest session's errors as a share of the price.",
    ["model_version"],
)
COVERAGE = Gauge(
    "nepse_interval_coverage_ratio", "Share of the newest session in its 95 % intervals.", ["model_version"]
)
SESSION_AGE = Gauge(
    "nepse_last_session_age_seconds", "Time since the close of the newest session known.", registry=None
)
HTTP_DURATION = Histogram(
    "nepse_http_request_duration_seconds",
    "From a request to the beginning of its answer.",
    ["route", "method", "status"],
    buckets=_FEW_SECONDS,
)

Labels = TypeVar("Labels", bound=tuple[str, ...])
_shown: dict[Gauge, set[tuple[str, ...]]] = {}
_alone: set[Gauge] = set()
_log = logging.getLogger(__name__)


def serve(settings: Settings, process: str) -> None:
    """Answer at /metrics from now on; where the port is taken this process goes on without."""
    _begin()
    port = port_of(settings, process)
    try:
        start_http_server(port, addr=settings.metrics_host or settings.host)
    except OSError as error:
        _log.warning(
            "no metrics of this process, port %d can't be used (%s): a second copy on one machine needs"
            " NEPSE_METRICS_PORT",
            port,
            error,
        )


def _begin() -> None:
    """Show counters from 0 on: what appears with its first count is no increase to Prometheus."""
    BUILD.labels(version("nepse-loop")).set(1)
    for flow in {route.flow for route in routes()}:
        DEAD_LETTERS.labels(flow)
        for reason in ("failed", "fenced", "unknown"):
            ABORTS.labels(flow, reason)
        for outcome in ("again", "crashed", "data", "replan"):
            RETRIES.labels(flow, outcome)


def published(name: str, values: Iterable[bytes | None]) -> None:
    """Count what a transaction published; `name` is its group's, or its own."""
    _moved(flow_of(name), "out", values)


def aborted(name: str, reason: str) -> None:
    """Count a transaction that was not committed: `failed`, `fenced`, or `unknown` how it ended."""
    ABORTS.labels(flow_of(name), reason).inc()


def flow_of(name: str) -> str:
    """Cut a transactional id down to who publishes, so that labels are few."""
    return name.removeprefix("source.").partition(".")[0]


def read(flow: str, values: Iterable[bytes | None], delay: float | None, duration: float) -> None:
    """Count a committed slice: the values that it read, seconds from its oldest record, and of its work."""
    records = _moved(flow, "in", values)
    SLICE_RECORDS.labels(flow).observe(records)
    SLICE_DURATION.labels(flow).observe(duration)
    if delay is not None:
        SLICE_DELAY.labels(flow).observe(max(0.0, delay))


def taken(flow: str, values: Iterable[bytes | None]) -> None:
    """Count what a projector stored."""
    _moved(flow, "in", values)


def _moved(flow: str, direction: str, values: Iterable[bytes | None]) -> int:
    sizes = [len(value or b"") for value in values]
    RECORDS.labels(flow, direction).inc(len(sizes))
    BYTES.labels(flow, direction).inc(sum(sizes))
    return len(sizes)


def only(gauge: Gauge, values: Mapping[Labels, float]) -> None:
    """Show these values by labels, and none of what was shown before and is not among them."""
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
    for gone in _shown.get(gauge, set()) - values.keys():
        gauge.remove(*gone)
    _shown[gauge] = set(values)


def alone(gauge: Gauge, value: float) -> None:
    """Show a value that only this process knows: of the others even a 0 would be wrong."""
    if gauge not in _alone:
        REGISTRY.register(gauge)
        _alone.add(gauge)
    gauge.set(value)


def names() -> Iterator[tuple[str, str]]:
    """List every metric of ours as it is written in queries, with its type."""
    for one in globals().values():
        if isinstance(one, Counter | Gauge | Histogram | Owned):
            for family in one.describe():
                yield (f"{family.name}_total" if family.type == "counter" else family.name), family.type
