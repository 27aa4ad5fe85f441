"""What outputs have to say, computed once more with pandas; shares no code with the system."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from tests.faults.checker import Finding
from tests.faults.journal import Journal, Record

Fetch = Callable[[str], bytes]
NEAR = 1e-6
"""Relative difference that seven significant digits on the wire leave."""
WINDOW = 20


def s3_reader(endpoint: str, key: str, secret: str) -> Fetch:
    """Make a function that reads an object by its `s3://` address."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )

    @cache
    def fetch(location: str) -> bytes:
        bucket, _, name = location.removeprefix("s3://").partition("/")
        return bytes(client.get_object(Bucket=bucket, Key=name)["Body"].read())

    return fetch


def session(fetch: Fetch, location: str) -> pd.DataFrame:
    """Read a raw session."""
    return pd.read_parquet(io.BytesIO(fetch(location)))


def objects(journal: Journal, fetch: Fetch) -> Iterator[Finding]:
    """Require that every object an event names is there, with its hash."""
    for record in first_of_each(journal.of("raw-data", "DataIngested", "ingest")):
        said = record.payload
        try:
            rows = session(fetch, said["data_location"])
        except ClientError as error:
            yield Finding("missing", f"{said['data_location']}: {error}")
            continue
        if _digest(rows) != said["content_hash"]:
            yield Finding("wrong", f"{said['data_location']} is not what was announced")
    for record in journal.of("models", "ModelTrained", "retrain"):
        said = record.payload
        if hashlib.sha256(fetch(said["artifact_location"])).hexdigest() != said["artifact_sha256"]:
            yield Finding("wrong", f"{said['artifact_location']} is not what was trained")


def _digest(rows: pd.DataFrame) -> str:
    cells = rows[["symbol", "close", "volume", "turnover"]].itertuples(index=False)
    return hashlib.sha256(
        "".join(sorted(f"{s}\t{c!r}\t{v!r}\t{t!r}\n" for s, c, v, t in cells)).encode()
    ).hexdigest()


def first_of_each(records: list[Record]) -> list[Record]:
    """Keep the first delivery of each event."""
    seen: dict[str, Record] = {}
    for record in records:
        seen.setdefault(record.identity, record)
    return list(seen.values())


def errors(journal: Journal) -> Iterator[Finding]:
    """Require one error for each pair of a prediction and its actual, worth predicted - actual."""
    wanted = Counter(
        _pairs(
            _table(journal, "predictions", "PredictionMade"), _table(journal, "actuals", "ActualAvailable")
        )
    )
    made = Counter(_said(record) for record in journal.of("errors", "ErrorComputed", "join-errors"))
    for pair, number in (wanted - made).items():
        yield Finding("lost", f"join-errors: {number} of {pair}")
    for pair, number in (made - wanted).items():
        yield Finding("duplicated", f"join-errors: {number} of {pair}, which follows from nothing")


def _table(journal: Journal, topic: str, kind: str) -> pd.DataFrame:
    """Lay out what the flow accepted: the first delivery of each event that has no dead letter."""
    refused = journal.letters.get("join-errors", {})
    kept = [r for r in first_of_each(journal.of(topic, kind)) if r.place not in refused]
    return pd.DataFrame([{**r.payload, "place": r.place} for r in kept])


def _pairs(predictions: pd.DataFrame, actuals: pd.DataFrame) -> list[tuple[Any, ...]]:
    if predictions.empty or actuals.empty:
        return []
    sides = ("_p", "_a")
    named = predictions.merge(actuals, on=["symbol", "date"], suffixes=sides).assign(held=lambda t: t["date"])
    linked = predictions.merge(
        actuals, left_on=["symbol", "as_of"], right_on=["symbol", "previous_date"], suffixes=sides
    )
    linked = linked[linked["date_p"] < linked["date_a"]].assign(held=lambda t: t["date_a"])
    both = pd.concat([named, linked], ignore_index=True)
    error = (both["predicted_close"] - both["actual_close"]).round(6)
    revision = both["revision_p"] + both["revision_a"]
    columns = [
        both["place_a"],
        both["symbol"],
        both["held"],
        both["as_of"],
        both["model_version"],
        error,
        revision,
    ]
    return list(zip(*columns, strict=True))


def _said(record: Record) -> tuple[Any, ...]:
    said = record.payload
    names = ("symbol", "date", "as_of", "model_version", "error", "revision")
    return record.cause, *(said[name] for name in names)


def predictions(journal: Journal) -> Iterator[Finding]:
    """Require that persistence predicts the last close of its vector."""
    vectors = {record.place: record.payload for record in journal.of("features", "FeaturesComputed")}
    for record in journal.of("predictions", "PredictionMade", "predict"):
        said, vector = record.payload, vectors.get(record.cause)  # type: ignore[arg-type]
        if said["model_version"] != "v0" or vector is None:
            continue
        last = (
            vector["last_close"]
            if vector.get("last_close") is not None
            else vector["features"]["Close_Lag_1"]
        )
        if (said["predicted_close"], said["as_of"]) != (last, vector["date"]):
            yield Finding("wrong", f"{record.place}: {json.dumps(said)[:200]}")


def features(journal: Journal, fetch: Fetch) -> Iterator[Finding]:
    """Require the last close, Close_Lag_1 and SMA_20 of vectors whose window holds no adjustment or gap."""
    announced = first_of_each(journal.of("raw-data", "DataIngested", "ingest"))
    causes = {record.place: record for record in announced}
    prices = {r.place: session(fetch, r.payload["data_location"]).set_index("symbol") for r in announced}
    for record in journal.of("features", "FeaturesComputed", "compute-features"):
        if cause := causes.get(record.cause):
            known = [
                r for r in announced if r.place <= cause.place and r.payload["date"] <= cause.payload["date"]
            ]
            days = {r.payload["date"]: prices[r.place] for r in sorted(known, key=lambda r: r.place)}
            yield from _vector(record, [days[day] for day in sorted(days)[-WINDOW - 1 :]])


def _vector(record: Record, window: list[pd.DataFrame]) -> Iterator[Finding]:
    said, symbol = record.payload, record.payload["symbol"]
    if said["last_close"] != window[-1].loc[symbol, "close"]:
        yield Finding(
            "wrong", f"{record.place}: the last close of {symbol} is {window[-1].loc[symbol, 'close']}"
        )
    rows = [day.loc[symbol] for day in window if symbol in day.index]
    if len(rows) < WINDOW + 1 or not _plain(rows):
        return
    closes = [float(row["close"]) for row in rows]
    wanted = {"Close_Lag_1": closes[-2], "SMA_20": sum(closes[-WINDOW:]) / WINDOW}
    for name, value in wanted.items():
        if abs(said["features"][name] - value) > NEAR * value:
            yield Finding(
                "wrong", f"{record.place}: {name} of {symbol} is {said['features'][name]}, not {value}"
            )


def _plain(rows: list[Any]) -> bool:
    """Tell whether the exchange adjusted nothing and no move was beyond its band."""
    pairs = [(float(b["prev_close"]), float(a["close"]), float(b["close"])) for a, b in pairwise(rows)]
    return all(abs(prev / last - 1) < 0.004 and abs(close / last - 1) < 0.1 for prev, last, close in pairs)
