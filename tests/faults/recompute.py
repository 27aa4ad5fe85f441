"""What outputs have to say, computed once more with pandas; shares no code with the system."""

import hashlib
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import boto3
import numpy as np
import pandas as pd
import requests
import skops.io
from botocore.exceptions import ClientError
from kafka.partitioner.default import murmur2

from tests.faults.checker import Finding
from tests.faults.journal import Journal, Place, Record

Fetch = Callable[[str], bytes]
NEAR = 1e-6
"""Relative difference that seven significant digits on the wire leave."""
WINDOW = 20
LARGEST_RATIO = 1e13
"""Beyond it, and where the actual is 0, an error has no percentage."""
MLFLOW_SECONDS = 20
MODEL_TYPES = [
    "numpy.clip",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils._bunch.Bunch",
]
ERROR_FIELDS = (
    *("symbol", "date", "predicted", "actual", "error", "abs_error", "pct_error", "model_version"),
    *("as_of", "baseline_error", "within_95", "revision", "retracted"),
)


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
    told = first_of_each(journal.of("errors", "ErrorComputed", "join-errors"))
    made = Counter(_said(record) for record in told)
    for pair, number in (wanted - made).items():
        yield Finding("lost", f"join-errors: {number} of {pair}")
    for pair, number in (made - wanted).items():
        yield Finding("duplicated", f"join-errors: {number} of {pair}, which follows from nothing")


def _table(journal: Journal, topic: str, kind: str) -> pd.DataFrame:
    """Lay out what the flow accepted: the first delivery, in its partition, of what has no dead letter."""
    refused = journal.letters.get("join-errors", {})
    number = max(1, sum(spot[0] == topic for spot in journal.stable))
    rightly = [r for r in journal.of(topic, kind) if r.place.partition == _home(r, number)]
    kept = [r for r in first_of_each(rightly) if r.place not in refused]
    return pd.DataFrame([{"revision": 0, "retracted": False, **r.payload, "place": r.place} for r in kept])


def _home(record: Record, partitions: int) -> int:
    """Tell the partition that a symbol hashes to; what lies elsewhere is published there once more."""
    return int(murmur2(str(record.payload.get("symbol")).encode()) & 0x7FFFFFFF) % partitions


def _pairs(predictions: pd.DataFrame, actuals: pd.DataFrame) -> list[tuple[Any, ...]]:
    if predictions.empty or actuals.empty:
        return []
    both = _joined(predictions, actuals)
    return [_error(pair) for pair in both.to_dict("records")]


def _joined(predictions: pd.DataFrame, actuals: pd.DataFrame) -> pd.DataFrame:
    """Put each prediction beside the actuals of its session, or of the next one held after its features'."""
    sides = ("_p", "_a")
    named = predictions.merge(actuals, on=["symbol", "date"], suffixes=sides).assign(held=lambda t: t["date"])
    linked = predictions.dropna(subset="as_of").merge(
        actuals.dropna(subset="previous_date"),
        left_on=["symbol", "as_of"],
        right_on=["symbol", "previous_date"],
        suffixes=sides,
    )
    linked = linked[linked["date_p"] < linked["date_a"]].assign(held=lambda t: t["date_a"])
    return pd.concat([named, linked], ignore_index=True)


def _error(pair: dict[str, Any]) -> tuple[Any, ...]:
    """Compute by the chapter's formulas what an error says; the baseline is the last close."""
    predicted, actual, last = pair["predicted_close"], pair["actual_close"], pair.get("last_close")
    error, band = round(predicted - actual, 6), pair.get("interval_95")
    said = {
        "symbol": pair["symbol"],
        "date": pair["held"],
        "predicted": predicted,
        "actual": actual,
        "error": error,
        "abs_error": abs(error),
        "pct_error": round(error / actual * 100, 6) if abs(error) < LARGEST_RATIO * abs(actual) else None,
        "model_version": pair["model_version"],
        "as_of": None if pd.isna(pair["as_of"]) else pair["as_of"],
        "baseline_error": None if last is None or pd.isna(last) else round(last - actual, 6),
        "within_95": band[0] <= actual <= band[1] if isinstance(band, list) else None,
        "revision": pair["revision_p"] + pair["revision_a"],
        "retracted": pair["retracted_p"] or pair["retracted_a"],
    }
    return pair["place_a"], *(said[name] for name in ERROR_FIELDS)


def _said(record: Record) -> tuple[Any, ...]:
    return record.cause, *(record.payload.get(name) for name in ERROR_FIELDS)


def expiries(journal: Journal, after: int) -> Iterator[Finding]:
    """Require PredictionExpired exactly where nothing met a prediction until `after` later sessions appeared.

    A session appears in a partition with its first actual there; what comes after that meets too late.
    """
    predictions = _table(journal, "predictions", "PredictionMade")
    actuals = _table(journal, "actuals", "ActualAvailable")
    wanted: Counter[Place] = Counter()
    if not predictions.empty and not actuals.empty:
        met = _first_met(predictions, actuals)
        appeared = _appeared(actuals)
        for made in predictions.to_dict("records"):
            later = sorted(at for day, at in appeared[made["place"].partition].items() if day > made["date"])
            if len(later) >= after and met.get(made["place"], later[after - 1] + 1) > later[after - 1]:
                wanted[made["place"]] += 1
    ended = first_of_each(journal.of("errors", "PredictionExpired", "join-errors"))
    told = Counter(r.cause for r in ended)
    for place in wanted - told:
        yield Finding("lost", f"join-errors: the expiry of {place}")
    for place in told - wanted:
        yield Finding("duplicated", f"join-errors: an expiry of {place}, which follows from nothing")


def _appeared(actuals: pd.DataFrame) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for day, place in zip(actuals["date"], actuals["place"], strict=True):
        found[place.partition].setdefault(day, place.offset)  # in the order of their offsets
    return found


def _first_met(predictions: pd.DataFrame, actuals: pd.DataFrame) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for pair in _joined(predictions, actuals).to_dict("records"):
        place, offset = pair["place_p"], pair["place_a"].offset
        found[place] = min(offset, found.get(place, offset))
    return found


def acknowledged(journal: Journal, sessions: list[tuple[str, dict[str, float]]]) -> Iterator[Finding]:
    """Require that every session whose ingestion was acknowledged lies on the topics, with every close."""
    told = Counter(r.payload["date"] for r in first_of_each(journal.of("raw-data", "DataIngested", "ingest")))
    closes = Counter(
        (r.payload["date"], r.payload["symbol"], r.payload["actual_close"])
        for r in first_of_each(journal.of("actuals", "ActualAvailable", "ingest"))
    )
    wanted = Counter((day, symbol, close) for day, rows in sessions for symbol, close in rows.items())
    days = Counter(day for day, _ in sessions)
    for kind, found in (("lost", days - told), ("duplicated", told - days)):
        yield from (Finding(kind, f"ingest: the session {day}") for day in found)
    for kind, found in (("lost", wanted - closes), ("duplicated", closes - wanted)):
        yield from (Finding(kind, f"ingest: the close {close}") for close in found)


def answers(journal: Journal) -> Iterator[Finding]:
    """Require that every request for a training is answered by one model, or is a dead letter."""
    refused = journal.letters.get("retrain", {})
    trained = first_of_each(journal.of("models", "ModelTrained", "retrain"))
    named = Counter(name for r in trained for name in r.payload["triggers"])
    for record in first_of_each(journal.of("training", "ModelRetrainingTriggered")):
        number = named[record.identity] + (record.place in refused)
        if number != 1:
            kind = "duplicated" if number else "lost"
            yield Finding(kind, f"retrain: {number} answers to the request at {record.place}")


def registered(journal: Journal, mlflow: str, name: str) -> Iterator[Finding]:
    """Require that MLflow has the version of each ModelTrained, with the same file, hash and run."""
    for record in journal.of("models", "ModelTrained", "retrain"):
        said = record.payload
        asked = {"name": name, "version": said["model_version"].removeprefix("v")}
        answer = requests.get(f"{mlflow}/api/2.0/mlflow/model-versions/get", asked, timeout=MLFLOW_SECONDS)
        if answer.status_code != HTTPStatus.OK:
            yield Finding("missing", f"MLflow has no {said['model_version']}: {answer.text[:200]}")
            continue
        version = answer.json()["model_version"]
        tags = {tag["key"]: tag["value"] for tag in version["tags"]}
        found = version["run_id"], tags.get("sha256"), tags.get("artifact_location")
        if found != (said["run_id"], said["artifact_sha256"], said["artifact_location"]):
            yield Finding("wrong", f"MLflow says {found} of {said['model_version']}")


def predictions(journal: Journal, fetch: Fetch) -> Iterator[Finding]:
    """Require that persistence predicts the last close of its vector, and a model what it gives again."""
    vectors = {record.place: record.payload for record in journal.of("features", "FeaturesComputed")}
    made: dict[str, list[tuple[Record, dict[str, Any]]]] = defaultdict(list)
    for record in journal.of("predictions", "PredictionMade", "predict"):
        if vector := vectors.get(record.cause):  # type: ignore[arg-type]
            made[record.payload["model_version"]].append((record, vector))
    versions = {r.payload["model_version"]: r.payload for r in journal.of("models", "ModelTrained")}
    for version, pairs in made.items():
        closes = _persisted(pairs) if version == "v0" else _forecast(pairs, versions[version], fetch)
        for (record, vector), close in zip(pairs, closes, strict=True):
            said = record.payload
            if abs(said["predicted_close"] - close) > NEAR * abs(close) or said["as_of"] != vector["date"]:
                yield Finding("wrong", f"{record.place}: {close} is right, not {json.dumps(said)[:200]}")


def _persisted(pairs: list[tuple[Record, dict[str, Any]]]) -> list[float]:
    vectors = [vector for _, vector in pairs]
    return [v["features"]["Close_Lag_1"] if v.get("last_close") is None else v["last_close"] for v in vectors]


def _forecast(
    pairs: list[tuple[Record, dict[str, Any]]], trained: dict[str, Any], fetch: Fetch
) -> list[float]:
    """Give the vectors to the model of the file: the last close times the exponential of its return."""
    model = skops.io.loads(fetch(trained["artifact_location"]), trusted=MODEL_TYPES)
    rows = [[v["features"].get(name) for name in trained["features_used"]] for _, v in pairs]
    values = np.array(rows, dtype=np.float32).astype(float)  # as a training sees them
    returns = model.predict(values).clip(math.log(0.9), math.log(1.1))
    last = np.array([v["last_close"] for _, v in pairs], dtype=float)
    return list((last * np.exp(returns)).round(4))


Row = tuple[float, float]
"""A share's close and previous close in a session."""


def features(journal: Journal, fetch: Fetch) -> Iterator[Finding]:
    """Require the last close, Close_Lag_1 and SMA_20 of vectors whose window holds no adjustment or gap."""
    announced = first_of_each(journal.of("raw-data", "DataIngested", "ingest"))
    prices = {r.place: _rows(session(fetch, r.payload["data_location"])) for r in announced}
    windows = {cause.place: _window(cause, announced, prices) for cause in announced}
    compared = 0
    for record in journal.of("features", "FeaturesComputed", "compute-features"):
        if window := windows.get(record.cause):  # type: ignore[arg-type]
            compared += _is_plain(record.payload["symbol"], window)
            yield from _vector(record, window)
    if not compared:
        yield Finding("missing", "no vector has a window without gaps, so that none was compared")


def _rows(rows: pd.DataFrame) -> dict[str, Row]:
    close, before = (rows[name].to_numpy(float, na_value=np.nan) for name in ("close", "prev_close"))
    return dict(zip(rows["symbol"], zip(close.tolist(), before.tolist(), strict=True), strict=True))


def _window(
    cause: Record, announced: list[Record], prices: dict[Place, dict[str, Row]]
) -> list[dict[str, Row]]:
    """List the sessions up to a cause's own that had been announced by then, the newest revision of each."""
    known = [r for r in announced if r.place <= cause.place and r.payload["date"] <= cause.payload["date"]]
    days = {r.payload["date"]: prices[r.place] for r in sorted(known, key=lambda r: r.place)}
    return [days[day] for day in sorted(days)[-WINDOW - 1 :]]


def _is_plain(symbol: str, window: list[dict[str, Row]]) -> bool:
    """Tell whether a symbol traded in all of a whole window, and the exchange adjusted nothing in it."""
    rows = [day[symbol] for day in window if symbol in day]
    return len(rows) == WINDOW + 1 and _plain(rows)


def _vector(record: Record, window: list[dict[str, Row]]) -> Iterator[Finding]:
    said, symbol = record.payload, record.payload["symbol"]
    if said["last_close"] != window[-1][symbol][0]:
        yield Finding("wrong", f"{record.place}: the last close of {symbol} is {window[-1][symbol][0]}")
    if not _is_plain(symbol, window):
        return
    closes = [day[symbol][0] for day in window]
    wanted = {"Close_Lag_1": closes[-2], "SMA_20": sum(closes[-WINDOW:]) / WINDOW}
    for name, value in wanted.items():
        if abs(said["features"][name] - value) > NEAR * value:
            yield Finding(
                "wrong", f"{record.place}: {name} of {symbol} is {said['features'][name]}, not {value}"
            )


def _plain(rows: list[Row]) -> bool:
    """Tell whether the exchange adjusted nothing and no move was beyond its band, as far as it says."""
    if any(math.isnan(value) for row in rows for value in row):
        return False
    pairs = [(prev, last, close) for (last, _), (close, prev) in pairwise(rows)]
    return all(abs(prev / last - 1) < 0.004 and abs(close / last - 1) < 0.1 for prev, last, close in pairs)
