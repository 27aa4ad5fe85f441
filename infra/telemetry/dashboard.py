"""The Grafana dashboard in infra/telemetry/grafana/nepse.json, made from the panels that are listed here."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from events.kept import keep
from infra.settings import PROJECT

DOCUMENT = PROJECT / "infra" / "telemetry" / "grafana" / "nepse.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 24, 8
"""Columns of a dashboard, and rows of a panel."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture: what it asks, by the legend of its lines, in which unit, and how wide it is (columns)."""

    title: str
    asks: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    about: str = ""


def _quantiles(metric: str, by: str) -> dict[str, str]:
    """Ask for the median and the 95th percentile of a histogram."""
    rates = f"sum by ({by}, le) (rate({metric}_bucket[$__rate_interval]))"
    return {
        f"{{{{{by}}}}} median": f"histogram_quantile(0.5, {rates})",
        f"{{{{{by}}}}} 95 %": f"histogram_quantile(0.95, {rates})",
    }


def _rates(metric: str, by: str) -> dict[str, str]:
    legend = " ".join(f"{{{{{one}}}}}" for one in by.split(", "))
    return {legend: f"sum by ({by}) (rate({metric}[$__rate_interval]))"}


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        Panel("Processes that answer", {"{{process}}": 'up{job="nepse"}'}, kind="stat", width=6),
        Panel("Longest wait", {"{{flow}}": "max by (flow) (nepse_watched_lag_seconds)"}, "s", "stat", 6),
        Panel("Serving", {"{{role}} {{model_version}}": "nepse_model_version_info"}, kind="stat", width=4),
        Panel("Newest session closed", {"ago": "nepse_last_session_age_seconds"}, "s", "stat", 4),
        Panel(
            "Watch looked", {"ago": "time() - nepse_watch_look_timestamp_seconds"}, "s", kind="stat", width=4
        ),
    ),
    "Flows": (
        Panel("Records", _rates("nepse_records_total", "flow, direction"), "cps"),
        Panel(
            "Bytes", _rates("nepse_bytes_total", "flow, direction"), "Bps", about="Of values, uncompressed."
        ),
        Panel("From record to commit", _quantiles("nepse_slice_delay_seconds", "flow"), "s"),
        Panel("Work on a slice", _quantiles("nepse_slice_duration_seconds", "flow"), "s"),
        Panel("Records of a slice", _quantiles("nepse_slice_records", "flow")),
        Panel("Dead letters", _rates("nepse_dead_letters_total", "flow"), "cps"),
    ),
    "Lag": (
        Panel(
            "Offsets, asked of the broker",
            {"{{flow}}": "sum by (flow) (nepse_watched_lag_offsets)"},
            about="Asked by the watch: a process that stands still is seen as well.",
        ),
        Panel("Oldest record", {"{{flow}}": "max by (flow) (nepse_watched_lag_seconds)"}, "s"),
        Panel(
            "Offsets, as the process sees it",
            {"{{flow}} {{topic}}-{{partition}}": "nepse_lag_offsets"},
            about="Partitions that no process owns have no line here.",
        ),
        Panel(
            "Waiting, as the process sees it", {"{{flow}} {{topic}}-{{partition}}": "nepse_lag_seconds"}, "s"
        ),
    ),
    "What goes wrong": (
        Panel("Slices tried again", _rates("nepse_retries_total", "flow, outcome"), "cps", width=6),
        Panel("Transactions", _rates("nepse_transaction_aborts_total", "flow, reason"), "cps", width=6),
        Panel("Rebalances", _rates("nepse_rebalances_total", "flow"), "cps", width=6),
        Panel("Alerts about errors", _rates("nepse_alerts_raised_total", "rule"), "cps", width=6),
    ),
    "Forecasts": (
        Panel(
            "Errors of the newest session",
            {"{{model_version}}": "nepse_prediction_error_ratio"},
            "percentunit",
        ),
        Panel("Inside 95 % intervals", {"{{model_version}}": "nepse_interval_coverage_ratio"}, "percentunit"),
    ),
    "Processes": (
        Panel("API", _quantiles("nepse_http_request_duration_seconds", "route"), "s"),
        Panel("Memory", {"{{process}}": 'process_resident_memory_bytes{job="nepse"}'}, "bytes"),
        Panel(
            "Processors", {"{{process}}": 'rate(process_cpu_seconds_total{job="nepse"}[$__rate_interval])'}
        ),
        Panel("Versions", {"{{version}}": "count by (version) (nepse_build_info)"}, kind="stat"),
    ),
}


def text() -> str:
    """Write the dashboard as it is committed."""
    return json.dumps(dashboard(), indent=1) + "\n"


def dashboard() -> dict[str, Any]:
    """Describe the dashboard as Grafana imports it."""
    return {
        "uid": "nepse",
        "title": "NEPSE loop",
        "description": "Written by `python -m infra.telemetry.dashboard --write`.",
        "tags": ["nepse"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    """Lay panels out in rows, from left to right and from top to bottom."""
    top, number = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield {"id": number, "type": "row", "title": title, "panels": [], "gridPos": _place(0, top, WIDTH, 1)}
        top, left = top + 1, 0
        for panel in panels:
            if left + panel.width > WIDTH:
                top, left = top + HEIGHT, 0
            number += 1
            yield _panel(number, panel, _place(left, top, panel.width, HEIGHT))
            left += panel.width
        top += HEIGHT


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    asks = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": ask, "legendFormat": legend}
        for at, (legend, ask) in enumerate(panel.asks.items())
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
        "datasource": SOURCE,
        "targets": asks,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or write the dashboard; returns the exit code."""
    return keep("infra.telemetry.dashboard", "Keep the dashboard.", text, DOCUMENT, arguments)


if __name__ == "__main__":
    sys.exit(main())
