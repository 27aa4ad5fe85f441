"""What only the watch knows of the whole system, as metrics of its process."""

import logging
from collections.abc import Callable, Mapping
from datetime import date, datetime

from kafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from infra import metrics
from infra.bootstrap import Loop
from infra.database import facts
from infra.errors import TryAgainError
from infra.kafka.lag import Progress
from tasks.core.calendar import CLOSE, EXCHANGE_TZ, exchange_day
from tasks.core.offices import Offices
from tasks.sessions import held_until

Standing = Mapping[str, Progress]
_log = logging.getLogger(__name__)


class Showing:
    """Renews the metrics at each look; asks the database only where the read side has moved."""

    def __init__(self, loop: Loop) -> None:
        """Nothing is shown yet."""
        self._loop = loop
        self._seen: tuple[int, ...] = ()
        self._models = -1

    def show(self, standing: Callable[[], Standing], now: datetime) -> None:
        """Show how all flows, the newest session and the models stand; what is not known now is left out."""
        metrics.alone(metrics.WATCH_LOOKED, now.timestamp())
        self._try(lambda: self._show_errors(exchange_day(now)))
        if self._try(lambda: _show_lag(standing())):
            self._try(self._show_models)
            self._try(lambda: self._show_session(now))
        else:  # the broker does not answer, and would not to the others: people are told the sooner
            _forget_lag()

    @staticmethod
    def _try(show: Callable[[], None]) -> bool:
        try:
            show()
        except (TryAgainError, KafkaError, SQLAlchemyError) as error:
            _log.warning("some metrics are not known now: %s", error)
            return False
        return True

    def _show_errors(self, today: date) -> None:
        """Show the newest session's errors by version."""
        database = self._loop.database
        where = facts.reached(database, ("errors",))
        if where == self._seen:
            return
        found = facts.errors(database, 1, today)
        sizes = {
            (one.model_version,): float(one.pct_error) / 100 for one in found if one.pct_error is not None
        }
        outside = {(one.model_version,): float(one.outside_95) for one in found if one.outside_95 is not None}
        metrics.only(metrics.ERROR, sizes)
        metrics.only(metrics.COVERAGE, {labels: 1 - share for labels, share in outside.items()})
        self._seen = where

    def _show_session(self, now: datetime) -> None:
        """Show how long ago the newest session closed that stands."""
        if held := held_until(self._loop, exchange_day(now)):
            closed = datetime.combine(held[-1], CLOSE, EXCHANGE_TZ)
            metrics.alone(metrics.SESSION_AGE, (now - closed).total_seconds())

    def _show_models(self) -> None:
        """Show who serves, and who predicts beside it."""
        end = self._loop.models.refresh()
        if end == self._models:
            return
        entries = self._loop.models.between(0, end)
        offices = Offices.of(entries)
        named = {(offices.champion.version, "champion"): 1.0}
        if challenger := offices.challenger():
            named[challenger.version, "challenger"] = 1.0
        metrics.only(metrics.MODEL, named)
        self._models = end


def _show_lag(standing: Standing) -> None:
    all_of = [(flow, one) for flow, progress in standing.items() for one in progress.standings]
    places = {(flow, one.topic, str(one.partition)): one for flow, one in all_of}
    metrics.only(metrics.WATCHED_OFFSETS, {labels: float(one.lag) for labels, one in places.items()})
    metrics.only(metrics.WATCHED_SECONDS, {labels: one.waited_s for labels, one in places.items()})


def _forget_lag() -> None:
    metrics.only(metrics.WATCHED_OFFSETS, {})
    metrics.only(metrics.WATCHED_SECONDS, {})
