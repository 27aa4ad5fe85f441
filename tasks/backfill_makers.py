"""What a backfill computes anew: vectors from sessions, or predictions from stored vectors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from events.payloads import FeaturesComputed, PredictionMade
from infra.bootstrap import Loop
from infra.database import judged, projected
from infra.kafka.records import Because, Place
from tasks.backfilling import Found
from tasks.catching_up import await_feature_table, await_projection, ends_of
from tasks.core.backfill import (
    Forecast,
    Plan,
    Request,
    lacking_vectors,
    lacks_error,
    lacks_prediction,
)
from tasks.core.features import FEATURES
from tasks.predictions import Made, Vectors, make_predictions
from tasks.projections import READ_SIDE
from tasks.scaling import Start, Table
from tasks.serving import model_book
from tasks.sessions import Sessions, targets
from tasks.vectors import Rows, announcement_of, by_session, panel_as_of, vectors_as_of

TOLD = ("symbol", "date", "feature_set", "revision", "last_close")
NOTHING = pd.DataFrame(columns=list(TOLD))
"""A session of which no row is stored."""


class FeatureMaker:
    """Computes vectors as of the plan's end of raw-data, and compares them with the feature table."""

    def __init__(self, loop: Loop, known: Sessions, request: Request, start: Start) -> None:
        """Nothing is computed yet."""
        self._loop, self._known, self._request, self._start = loop, known, request, start
        self._table = loop.feature_table
        self.plan = Plan("", 0, [], 0)
        self._begun: dict[date, tuple[Table, list[date]]] = {}
        self._rows: Rows = {}
        self._stored: Rows = {}

    def prepare(self, made: Plan) -> None:
        """Take the plan, and wait until the feature table holds what was published before."""
        self.plan = made
        await_feature_table(self._loop)

    @property
    def _offset(self) -> int:
        """The last offset of raw-data that counts."""
        return self.plan.end - 1

    def begin(self, days: Sequence[date]) -> None:
        """Read what the sessions look back on, and start to compute them."""
        table = self._start(panel_as_of(self._loop, self._offset, days), min(days))
        self._begun |= dict.fromkeys(days, (table, list(days)))

    def find(self, days: Sequence[date]) -> Mapping[date, Found]:
        """Compare with the feature table; with force everything is missing."""
        found = {}
        rows = {day: self._take(day) for day in days}
        there = {day: frame for day, frame in rows.items() if frame is not None}
        stored = {day: self._stored.pop(day, NOTHING) for day in days}
        for day, vectors in vectors_as_of(self._known, there, self._offset).items():
            cause = announcement_of(self._loop, self._known, self._offset, day)
            wanted = [v for v in vectors.values() if self._request.means(v.symbol)]
            missing = wanted if self._request.force else lacking_vectors(wanted, stored[day])
            found[day] = Found(len(wanted), "features", [(vector, cause) for vector in missing])
        return found

    def _take(self, day: date) -> pd.DataFrame | None:
        """Give a session's rows once, and let go of them."""
        if day in self._begun:
            table, days = self._begun[day]
            self._rows |= by_session(table(), days)
            self._stored |= {} if self._request.force else self._read(days)
            for one in days:
                del self._begun[one]
        return self._rows.pop(day, None)

    def _read(self, days: Sequence[date]) -> Rows:
        """Read what is stored of all sessions that were begun together: opening the table costs the most."""
        known = set(self._table.features())
        columns = [*TOLD, *(name for name in FEATURES if name in known)]
        rows, _ = self._table.read(columns, since=min(days), until=max(days))
        parts: list[tuple[Any, pd.DataFrame]] = list(rows.groupby("date"))
        return {moment.date(): part for moment, part in parts}


class PredictionMaker:
    """Predicts from stored vectors with the version valid for each session, and compares with the read side.

    For `errors` those predictions are made again of which an actual is there and no error: the join meets
    each with its actual as any other prediction. It computes every error itself, so that nothing else can
    bring one about.
    """

    def __init__(self, loop: Loop, request: Request) -> None:
        """Nothing is read yet."""
        self._loop, self._request = loop, request
        self._table = loop.feature_table
        self._seen = loop.as_of()
        self._book = model_book(self._seen)

    def prepare(self, _made: Plan) -> None:
        """Wait until the projections hold what was published before."""
        await_feature_table(self._loop)
        ends = ends_of(self._loop, ["predictions", "actuals", "errors"])
        database = self._loop.database
        await_projection("the read side", lambda: projected.positions(database, READ_SIDE, ends), ends)

    def begin(self, days: Sequence[date]) -> None:
        """Do nothing: predicting is quick."""

    def find(self, days: Sequence[date]) -> Mapping[date, Found]:
        """Make the predictions of a block and compare them."""
        vectors, causes = self._vectors(days)
        made = [one.prediction for one in self._predicted(vectors)]
        by_day: dict[date, list[tuple[PredictionMade, Because]]] = defaultdict(list)
        for vector, prediction, cause in zip(vectors, made, causes, strict=True):
            if prediction is not None:
                by_day[vector.date].append((prediction, cause))
        wanted = self._wanted(days)
        return {
            day: Found(len(by_day[day]), "predictions", [one for one in by_day[day] if wanted(one[0])])
            for day in days
        }

    def _predicted(self, vectors: list[FeaturesComputed]) -> list[Made]:
        return make_predictions.fn(self._book, Vectors(vectors), targets(self._seen))

    def _wanted(self, days: Sequence[date]) -> Any:
        """Give the test by which a prediction has to be published."""
        database = self._loop.database
        if self._request.flow == "errors":
            closed = judged.closed(database, days)
            done = set() if self._request.force else judged.judged(database, days)
            return lambda made: lacks_error((made.symbol, made.as_of), closed, done)
        if self._request.force:
            return lambda _: True
        stored = {key: Forecast(*told) for key, told in judged.forecasts(database, days).items()}
        return lambda made: lacks_prediction(made, stored.get((made.symbol, made.as_of)))

    def _vectors(self, days: Sequence[date]) -> tuple[list[FeaturesComputed], list[Because]]:
        names = self._table.features()
        columns = [*TOLD, "event_id", "partition", "offset", *names]
        asked = self._request.symbols or None
        rows, _ = self._table.read(columns, since=min(days), until=max(days), symbols=asked)
        rows = rows[rows["date"].dt.date.isin(list(days))]
        vectors, causes = [], []
        for row in rows.astype("object").where(rows.notna(), None).to_dict("records"):
            place = Place("features", int(row["partition"]), int(row["offset"]))
            causes.append(Because(row["event_id"], row["event_id"], place))
            vectors.append(
                FeaturesComputed(
                    symbol=row["symbol"],
                    date=row["date"].date(),
                    features={name: row[name] for name in names},
                    feature_set=row["feature_set"],
                    last_close=row["last_close"],
                    revision=int(row["revision"]),
                )
            )
        return vectors, causes
