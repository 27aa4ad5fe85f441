"""The same join with Quix Streams, exactly-once: its interval join on equal times.

A record's time is its session's, and its key the symbol, so that equal times are the same session.
Runs in an environment of its own (bench/requirements.txt), and so imports nothing of this project.
"""

import argparse
import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from quixstreams import Application

QUIET_SECONDS = 20


class Clock:
    """When the first and the last record were processed."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.records, self.first, self.last = 0, 0.0, 0.0

    def __call__(self, *_: object) -> None:
        """Note one record."""
        self.records += 1
        self.last = time.perf_counter()
        self.first = self.first or self.last


def error_event(event: dict[str, Any]) -> dict[str, Any]:
    """Compute what the chapter computes."""
    predicted, actual = event["predicted"], event["actual"]
    error = predicted - actual
    payload = {
        **event,
        "error": error,
        "abs_error": abs(error),
        "pct_error": error / actual * 100 if actual else None,
    }
    return {"event_type": "ErrorComputed", "timestamp": time.time(), "producer": "quix", "payload": payload}


def merge(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Put both sides together."""
    made = left["payload"]
    return {
        "symbol": made["symbol"],
        "date": made["date"],
        "predicted": made["predicted_close"],
        "actual": right["payload"]["actual_close"],
    }


def main() -> None:
    """Join until nothing came for a while; the time counts from the first record to the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("state", type=Path)
    parser.add_argument("grace_days", type=int)
    options = parser.parse_args()
    clock = Clock()
    app = Application(
        broker_address=options.bootstrap,
        consumer_group="bench-quix",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=options.state,
        loglevel="WARNING",
        on_message_processed=clock,
    )
    kinds = {"value_deserializer": "json", "key_deserializer": "str"}
    predictions = app.dataframe(app.topic("predictions", **kinds))
    actuals = app.dataframe(app.topic("actuals", **kinds))
    joined = predictions.join_interval(
        actuals, how="inner", on_merge=merge, grace_ms=timedelta(days=options.grace_days)
    )
    joined.apply(error_event).to_topic(app.topic("bench-quix", value_serializer="json", key_serializer="str"))
    busy = time.process_time()
    app.run(timeout=QUIET_SECONDS)
    figures = {
        "records": clock.records,
        "seconds": clock.last - clock.first,
        "cpu": time.process_time() - busy,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
