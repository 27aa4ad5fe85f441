"""From rows to what the API tells of them."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from infra.database.reads.intervals import Fallen
from tasks.core.lineage import run_url
from tasks.core.skill_over_time import Sums, measures

Row = Mapping[str, Any]
Item = dict[str, Any]

EXPECTED = (0.025, 0.075, 0.4, 0.4, 0.075, 0.025)
"""Shares of closes that fall into the parts of `Fallen`, if intervals keep what they say."""
SHOWN_BYTES = 64 * 1024
"""Bytes of an original that are handed out."""

_PLACED = ("revision", "timestamp", "event_id", "correlation_id")
_PREDICTION = (
    *("symbol", "date", "as_of", "predicted_close", "last_close", "low_80", "high_80", "low_95", "high_95"),
    *("model_version", *_PLACED),
)
_ACTUAL = ("symbol", "date", "actual_close", "previous_date", *_PLACED)
_ERROR = (
    *("symbol", "date", "as_of", "predicted", "actual", "error", "abs_error", "pct_error", "baseline_error"),
    *("within_95", "model_version", *_PLACED),
)
_LETTER = (
    *("letter_id", "flow", "reason", "error_class", "source_topic", "source_partition", "source_offset"),
    *("timestamp", "size", "attempts", "resolved"),
)


def prediction(row: Row) -> Item:
    """Tell of a prediction, with the expected move and the interval's width in percent."""
    told = _picked(row, _PREDICTION) | {"place": _place("predictions", row)}
    last, forecast = row["last_close"], row["predicted_close"]
    narrow = None not in (row["low_80"], row["high_80"]) and forecast > 0
    return told | {
        "expected_move_pct": 100 * (forecast / last - 1) if last else None,
        "width_80_pct": 100 * (row["high_80"] - row["low_80"]) / forecast if narrow else None,
    }


def actual(row: Row) -> Item:
    """Tell of a close."""
    return _picked(row, _ACTUAL) | {"place": _place("actuals", row)}


def error(row: Row) -> Item:
    """Tell of an error."""
    return _picked(row, _ERROR) | {"place": _place("errors", row)}


def letter(row: Row, prefect: str) -> Item:
    """Tell of a dead letter, without its bytes."""
    run = run_url(prefect, row["run_id"]) if row["run_id"] else None
    return _picked(row, _LETTER) | {"run": run, "place": f"dead-letters-0@{row['offset']}"}


def whole_letter(row: Row, prefect: str) -> Item:
    """Tell of a dead letter with the beginning of its bytes, as base64: foreign bytes are no text of ours."""
    value = row["value"]
    return letter(row, prefect) | {
        "headers": row["headers"],
        "key_base64": _base64(row["key"]),
        "value_base64": _base64(value),
        "truncated": value is not None and len(value) > SHOWN_BYTES,
    }


def alert(row: Row) -> Item:
    """Tell of an alert."""
    return {name: value for name, value in row.items() if name != "raised_offset"}


def measured(sums: Iterable[Iterable[float]]) -> Item:
    """Tell what sums of errors measure together."""
    return measures(Sums(*one) for one in sums)._asdict()  # type: ignore[arg-type]


def calibration(found: Fallen) -> Item:
    """Tell of each part of the intervals which share of closes should have fallen there, and did."""
    sessions, judged, *counts = found
    parts = zip(Fallen._fields[2:], EXPECTED, counts, strict=True)
    within_80 = found.under + found.over
    return {
        "sessions": sessions,
        "judged": judged,
        "coverage_80": _share(within_80, judged),
        "coverage_95": _share(within_80 + found.below_80 + found.above_80, judged),
        "items": [
            {"part": name, "expected": expected, "observed": _share(count, judged), "count": count}
            for name, expected, count in parts
        ],
    }


def _share(count: int, judged: int) -> float | None:
    return count / judged if judged else None


def _picked(row: Row, names: Iterable[str]) -> Item:
    return {name: row[name] for name in names}


def _place(topic: str, row: Row) -> str:
    return f"{topic}-{row['partition']}@{row['offset']}"


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value[:SHOWN_BYTES]).decode()
