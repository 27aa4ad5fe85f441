"""`python -m bench models`: a retraining on all of history, a model's way into memory, a session predicted.

The feature table lies on a real object store, the registry is a real MLflow; they and the broker run as well.
`python -m bench.models PART HOME` takes one step on that stack, in this process.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import market, ourside
from bench.processes import part, peak, say, tell
from bench.servers import servers
from events.envelope import Event, Metadata
from events.payloads import FeaturesComputed, ModelRetrainingTriggered
from infra.bootstrap import Loop
from infra.kafka.records import Place, Received
from infra.settings import inherited_environment, load_settings
from tasks.core import features
from tasks.core.calendar import learned
from tasks.core.panel import Panel
from tasks.core.training import TrainedModel
from tasks.core.written import written
from tasks.models import unpack
from tasks.predictions import Vectors, make_predictions
from tasks.registering import Trigger, register
from tasks.serving import Choice
from tasks.training import Trained, fit, stored_features

PARTS = ("kafka", "s3", "postgres", "mlflow")
SYMBOLS = 350
WARM, ROUNDS = 3, 20
MODEL = "v1"
Step = Callable[[], Any]


@dataclass
class Figures:
    """What was measured, as JSON types; seconds of the training's steps, milliseconds of the others."""

    market: dict[str, Any] = field(default_factory=dict)
    training: dict[str, float] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    loading: dict[str, float] = field(default_factory=dict)
    predicting: dict[str, float] = field(default_factory=dict)


def measure(sessions: int | None) -> Figures:
    """Fill the feature table, train on all of it, load the version, predict a session."""
    few = ["--sessions", sessions] if sessions else []
    with servers(*PARTS) as settings:
        surroundings = inherited_environment() | settings.environment()

        def take(name: str) -> dict[str, Any]:
            return part("bench.models", name, settings.home, *few, environment=surroundings)

        filled, trained = take("fill"), take("train")
        return Figures(filled, trained["seconds"], trained["model"], take("load"), take("predict"))


def fill(loop: Loop, sessions: int | None) -> dict[str, Any]:
    """Compute the features of the market, and store them as the projector does; tells what there is."""
    found = market.load(sessions)
    panel, end = ourside.panel_of(found), 0
    for frame in _features(panel):
        rows = _stored(frame, end)
        loop.feature_table.apply(rows, {("features", 0): end}, {("features", 0): end + len(rows)})
        end += len(rows)
        say(f"  {end:,} vectors stored")
    shape = {"source": found.source, "sessions": len(panel), "symbols": len(panel.symbols)}
    return shape | {"rows": end, "set": features.FEATURE_SET}


def _features(panel: Panel) -> Iterator[pd.DataFrame]:
    """Compute the set block by block."""
    for start, stop in ourside.blocks(panel, 1):
        yield features.compute(ourside.cut(panel, start, stop), panel.dates[start])


def _stored(frame: pd.DataFrame, start: int) -> pd.DataFrame:
    """Add what the table keeps beside features."""
    own: dict[str, Any] = {"feature_set": features.FEATURE_SET, "revision": 0, "event_id": "bench"}
    places = np.arange(start, start + len(frame))
    return frame.assign(**own, partition=0, offset=places, retracted=False)


def train(loop: Loop, sessions: int | None) -> dict[str, Any]:
    """Train as the flow does, on everything that is stored; tells the seconds of its steps."""
    until, spent = market.load(sessions).days[-1][0], dict[str, float]()

    def timed(name: str, step: Step) -> Any:
        began = time.perf_counter()
        made = step()
        spent[name] = time.perf_counter() - began
        return made

    began = time.perf_counter()
    rows = timed("reading the stored features", lambda: stored_features.fn(loop, until))
    trained: Trained = timed("fitting, judging, explaining", lambda: fit.fn(loop, rows, until))
    asked = _trigger(until)
    version = timed("pictures, card and registration", lambda: register.fn(loop, trained, [asked]))
    spent |= {"whole": time.perf_counter() - began, "peak": peak()}
    card = trained.model.card
    size = len(loop.registry.fetch(version)) / 2**20
    told = {"name": version.name, "megabytes": size, "features": len(card.features), "rows": card.rows}
    return {"seconds": spent, "model": told | {"sessions": card.sessions, "held": card.holdout_sessions}}


def _trigger(until: date) -> Trigger:
    payload = ModelRetrainingTriggered(reason="bench", data_end_date=until)
    event = Event(datetime.now(UTC), "bench", payload, Metadata("bench", "bench"))
    return Received(event, Place("training", 0, 0), None, b"")


def load(loop: Loop, _: int | None) -> dict[str, Any]:
    """Bring the version into memory as a promotion does: registry, object store, checks, file."""
    return _milliseconds(lambda: _model(loop))


def _model(loop: Loop) -> TrainedModel:
    version = loop.registry.get(MODEL)
    return unpack(loop.registry.fetch(version), version.sha256)


def predict(loop: Loop, sessions: int | None) -> dict[str, Any]:
    """Predict the market's last session, widened to so many symbols, from its vectors."""
    vectors, calendar = _vectors(sessions), learned([])
    book: Any = Book(_model(loop))
    made = make_predictions.fn(book, vectors, calendar)
    by = {one.prediction.model_version for one in made if one.prediction and one.prediction.interval_95}
    if (len(made), by) != (SYMBOLS, {MODEL}):
        message = (
            f"{len(made)} predictions by {', '.join(sorted(by))}: not {SYMBOLS} by {MODEL}, with intervals"
        )
        raise SystemExit(message)
    return _milliseconds(lambda: make_predictions.fn(book, vectors, calendar)) | {"vectors": len(made)}


class Book:
    """A book in which one version is in office for every session."""

    def __init__(self, model: TrainedModel) -> None:
        """Hold its model."""
        self._choice = Choice(MODEL, model)

    def choose(self, *_: object) -> Choice:
        """Choose it."""
        return self._choice


def _vectors(sessions: int | None) -> Vectors:
    panel = ourside.panel_of(market.load(sessions or features.WINDOW))
    frame = features.compute(panel, panel.dates[-1])
    wide = frame.iloc[np.arange(SYMBOLS) % len(frame)]
    values = written(wide[list(features.FEATURES)].to_numpy(), list(features.FEATURES))
    told = zip(wide["date"], wide["last_close"], values, strict=True)
    return Vectors(
        [
            FeaturesComputed(
                symbol=f"S{number}",
                date=day,
                features=row,
                feature_set=features.FEATURE_SET,
                last_close=close,
            )
            for number, (day, close, row) in enumerate(told)
        ]
    )


def _milliseconds(step: Step) -> dict[str, float]:
    """Take a step often; tells the first time, then the middle and the worst of those that come warm."""
    took = []
    for _ in range(1 + WARM + ROUNDS):
        began = time.perf_counter()
        step()
        took.append(1000 * (time.perf_counter() - began))
    warm = took[1 + WARM :]
    return {"first": took[0], "warm": statistics.median(warm), "worst": max(warm), "peak": peak()}


STEPS: dict[str, Callable[[Loop, int | None], dict[str, Any]]] = {
    "fill": fill,
    "train": train,
    "load": load,
    "predict": predict,
}


def main() -> None:
    """Take one step in this process."""
    parser = argparse.ArgumentParser(prog="python -m bench.models", description=__doc__)
    parser.add_argument("part", choices=STEPS)
    parser.add_argument("home", type=Path)
    parser.add_argument("--sessions", type=int, help="only the last so many")
    options = parser.parse_args()
    say(f"  {options.part}")
    tell(STEPS[options.part](Loop(load_settings(options.home)), options.sessions))


if __name__ == "__main__":
    main()
