"""What the watch sees: for each kind of rule, the values of its measure now."""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from statistics import fmean

from kafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from infra.bootstrap import Loop
from infra.database import facts
from infra.errors import TryAgainError
from infra.kafka.gauge import Gauge
from infra.kafka.lag import Progress
from infra.stack.parts import Part, plan
from infra.stack.status import answers
from infra.wiring import routes
from tasks.core.alert_life import Key, Labels, Sample
from tasks.core.alert_rules import PER_EVENT, AlertRule
from tasks.core.calendar import CLOSE, EXCHANGE_TZ, exchange_day
from tasks.sessions import sessions, targets
from tasks.showing import Showing

_log = logging.getLogger(__name__)
SERVERS = ("kafka", "s3", "postgres", "prefect", "mlflow")


class Eyes:
    """Looks at broker, read side and servers; keeps its clients. Not for several threads."""

    def __init__(self, loop: Loop) -> None:
        """Nothing is looked at yet."""
        self._loop = loop
        self._gauge = Gauge(loop.settings)
        self._away: dict[str, datetime] = {}
        self._progress: dict[str, Progress] | None = None
        self._silence: Exception | None = None
        self._showing = Showing(loop)

    def look(self, rules: Iterable[AlertRule], standing: Iterable[Key], now: datetime) -> list[Sample]:
        """Measure every rule that is not about single events.

        What can't be measured, because a server is away, is known of nobody: alerts that stand stay.
        """
        self._progress = self._silence = None
        found: list[Sample] = []
        for rule in rules:
            if rule.about == PER_EVENT:
                continue
            try:
                seen = LOOKS[rule.about](self, rule, now)
            except (TryAgainError, KafkaError, SQLAlchemyError) as error:
                _log.warning("%s is not known now: %s", rule.name, error)
                seen = None
            except Exception:  # noqa: BLE001  (whatever was read: the other rules are looked at)
                _log.exception("%s can't be looked at", rule.name)
                seen = None
            if seen is None:
                seen = [(key.labels, None) for key in standing if key.rule == rule.name]
            found += [Sample(rule.name, labels, value) for labels, value in seen]
        self._showing.show(self._standing, now)
        return found

    def close(self) -> None:
        """Close the clients."""
        self._gauge.close()

    def _standing(self) -> dict[str, Progress]:
        """Ask the broker once a look, also where it does not answer."""
        if self._silence is not None:
            raise self._silence
        try:
            self._progress = self._progress or self._gauge.read()
        except (TryAgainError, KafkaError) as error:
            self._silence = error
            raise
        return self._progress

    def _lag(self, rule: AlertRule, _: datetime) -> "Seen":
        of_all = self._standing().items()
        if rule.measure == "records":
            return [(_label("flow", flow), float(one.lag)) for flow, one in of_all]
        waited = (
            (flow, max((s.waited_s for s in one.standings if s.lag), default=0.0)) for flow, one in of_all
        )
        return [(_label("flow", flow), _beyond(flow, seconds)) for flow, seconds in waited]

    def _still(self, _: AlertRule, now: datetime) -> "Seen":
        stuck = ((flow, one.longest_stuck(now).stuck_s(now)) for flow, one in self._standing().items())
        return [(_label("flow", flow), _beyond(flow, seconds)) for flow, seconds in stuck]

    def _errors(self, rule: AlertRule, now: datetime) -> "Seen | None":
        """Sum sessions up; fewer sessions than the rule's say nothing, neither of a version nor of all."""
        values, days = dict[str, list[float]](), set[object]()
        for row in facts.errors(self._loop.database, rule.over or 1, exchange_day(now)):
            days.add(row.date)
            found = values.setdefault(row.model_version, [])
            if (value := getattr(row, rule.measure)) is not None:
                found.append(float(value))
        if len(days) < (rule.over or 1):
            return None
        return [(_label("model_version", version), _summed(rule, found)) for version, found in values.items()]

    def _letters(self, rule: AlertRule, now: datetime) -> "Seen":
        since = now - timedelta(seconds=rule.over or 0)
        return [(_label("flow", flow), float(n)) for flow, n in facts.letters(self._loop.database, since)]

    def _drift(self, rule: AlertRule, now: datetime) -> "Seen":
        since = now - timedelta(seconds=rule.over or 0)
        return [(_label("reason", reason), float(n)) for reason, n in facts.drift(self._loop.database, since)]

    def _session(self, _: AlertRule, now: datetime) -> "Seen":
        """Tell how long ago the session closed that is expected next; only where files are waited for."""
        told = sessions(self._loop).refresh() if self._loop.settings.landing else None
        held = [one.day for one in told.alive()] if told else []
        if not held:
            return []
        close = datetime.combine(targets(self._loop).next_session(held[-1]), CLOSE, EXCHANGE_TZ)
        return [((), max(0.0, (now - close).total_seconds() / 3_600))]

    def _servers(self, _: AlertRule, now: datetime) -> "Seen":
        parts = [part for part in plan(self._loop.settings) if part.name in SERVERS]
        with ThreadPoolExecutor(max(1, len(parts))) as pool:
            well = list(zip(parts, pool.map(self._answers, parts), strict=True))
        for part, good in well:
            if good:
                self._away.pop(part.name, None)
            else:
                self._away.setdefault(part.name, now)
        return [(_label("server", part.name), self._seconds_away(part.name, now)) for part in parts]

    def _answers(self, part: Part) -> bool:
        return answers(self._loop.settings, part)

    def _seconds_away(self, name: str, now: datetime) -> float:
        return (now - self._away.get(name, now)).total_seconds()


Seen = Sequence[tuple[Labels, float | None]]
"""Values by their labels; None: not known."""


def _summed(rule: AlertRule, values: Sequence[float]) -> float | None:
    """Sum up what a version did in the rule's sessions, if it did in all of them."""
    if len(values) < (rule.over or 1):
        return None
    return max(values) if rule.statistic == "max" else fmean(values)


def _beyond(flow: str, seconds: float) -> float:
    """Leave out what a flow may take by its wiring: a training works for minutes and commits at its end."""
    patience = max((route.stalled_after_s or 0 for route in routes() if route.flow == flow), default=0)
    return max(0.0, seconds - patience)


def _label(name: str, value: str) -> Labels:
    return ((name, value),)


LOOKS: dict[str, Callable[[Eyes, AlertRule, datetime], Seen | None]] = {
    "lag": Eyes._lag,  # noqa: SLF001  (the table of a class's own methods)
    "progress": Eyes._still,  # noqa: SLF001
    "errors": Eyes._errors,  # noqa: SLF001
    "dead_letters": Eyes._letters,  # noqa: SLF001
    "drift": Eyes._drift,  # noqa: SLF001
    "session": Eyes._session,  # noqa: SLF001
    "server": Eyes._servers,  # noqa: SLF001
}
"""By what a rule is about."""
