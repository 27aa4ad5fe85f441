"""From a symbol and a session to every record behind it: the read side finds places, the topics tell."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from events.envelope import ContractError, Event, decode
from events.topics import TOPICS
from infra.database import connection
from infra.database.lookups import Lookups
from infra.database.reads.progress import positions
from infra.errors import RejectError
from infra.kafka import scanning
from infra.kafka.records import Place
from infra.settings import Settings
from tasks.core import lineage as told
from tasks.core.lineage import Node
from tasks.core.projection import LETTERS
from tasks.projections import READ_SIDE


def trace(settings: Settings, symbol: str, day: date) -> dict[str, Any]:
    """Tell everything behind the predictions about a session and from it, all revisions.

    Raises:
        RejectError: the symbol or the session is unknown.
        TryAgainError: broker or database away, or nothing was projected yet.
    """
    engine = connection.engine(settings)
    spots = scanning.spots_of(settings, TOPICS)
    with scanning.reader(settings) as looking:
        ends = scanning.ends(looking, spots)
        lag = told.behind(positions(engine, READ_SIDE), ends)
        return _Walk(settings, Lookups(engine), looking, symbol, day).all() | {"read_side_behind": lag}


class _Walk:
    """One lineage while it is walked; every record is read once."""

    def __init__(
        self, settings: Settings, places: Lookups, looking: KafkaConsumer, symbol: str, day: date
    ) -> None:
        self._settings, self._places, self._looking = settings, places, looking
        self._symbol, self._day = symbol, day
        self._events: dict[Place, Event[Any] | None] = {}

    def all(self) -> dict[str, Any]:
        predictions = self._places.predictions(self._symbol, self._day)
        actuals = self._places.actuals(self._symbol, self._day)
        if not predictions and not actuals:
            self._explain()
        errors = [(p, e) for p in self._places.errors(self._symbol, self._day) if (e := self._event(p))]
        chains = [self._chain(place, errors) for place in predictions]
        return {
            "symbol": self._symbol,
            "session": str(self._day),
            "announced": [self._node(place) for place in self._places.sessions(self._day)],
            "closes": [self._actual(place) for place in actuals],
            "predictions": chains,
            "dead_letters": self._letters(),
        }

    def _explain(self) -> None:
        known = self._places.symbols()
        if self._symbol not in known:
            raise RejectError(told.unknown_symbol(self._symbol, known))
        nearest = self._places.nearest_dates(self._symbol, self._day)
        raise RejectError(told.unknown_date(self._symbol, self._day, nearest))

    def _chain(self, place: Place, errors: list[tuple[Place, Event[Any]]]) -> Node:
        """Walk from a prediction back to the raw file, to its model, and forward to what became of it."""
        event, made = self._event(place), self._node(place)
        if event is None:
            return made
        made["from"] = self._back(event)
        made["model"] = self._model(event.payload.model_version)
        made["errors"] = [found for at, error in errors if (found := self._error(place, event, at, error))]
        made["expired"] = [self._expired(at) for at in self._places.expired(told.expiry_id(event.id))]
        return made

    def _back(self, event: Event[Any]) -> Node | None:
        """Follow the causes to the first one."""
        cause = _cause(event)
        if cause is None:
            return None
        found = self._node(cause)
        earlier = self._event(cause)
        if earlier is not None and (before := self._back(earlier)):
            found["from"] = before
        return found

    def _error(self, at: Place, prediction: Event[Any], place: Place, error: Event[Any]) -> Node | None:
        cause = error.metadata.causation
        if cause is None or not told.is_error_of(error, prediction, cause.event_id):
            return None
        actual = Place(cause.topic, cause.partition, cause.offset)
        return self._node(place, also=[at]) | {"actual": self._actual(actual)}

    def _expired(self, place: Place) -> Node:
        """Tell that nothing met a prediction in time, and of the slice in which that became certain.

        That is a later one than the slice which holds the prediction, its cause.
        """
        found, event = self._node(place, sliced=False), self._event(place)
        if event and (entry := self._entry(self._places.made_by(event.producer, place))):
            found["slice"] = entry
        return found

    def _actual(self, place: Place) -> Node:
        """Tell of a close, and of the announcement that it belongs to."""
        found, event = self._node(place), self._event(place)
        announced = self._places.session_of(event.metadata.correlation_id) if event else []
        return found | {"announced": self._node(announced[0])} if announced else found

    def _model(self, version: str) -> Node:
        url = told.model_url(self._settings.mlflow_ui, self._settings.model_name, version)
        said = [self._node(place) for place in self._places.models(version)]
        return {"version": version, "mlflow": url, "events": said}

    def _node(self, place: Place, also: Iterable[Place] = (), *, sliced: bool = True) -> Node:
        event = self._event(place)
        if event is None:
            return {"event": None, "place": str(place), "note": "no event lies there: rebuild the read side"}
        found = told.node(event, str(place))
        if sliced and (made_by := self._slice(event, also)):
            found["slice"] = made_by
        return found

    def _slice(self, event: Event[Any], also: Iterable[Place]) -> Node | None:
        """Find the ledger entry of the run that made an event; sources have none."""
        cause = _cause(event)
        return self._entry(self._places.slice_of(event.producer, [cause, *also]) if cause else None)

    def _entry(self, place: Place | None) -> Node | None:
        """Tell of a ledger entry."""
        entry = self._event(place) if place else None
        if place is None or entry is None:
            return None
        run_id = entry.payload.run_id
        return {
            "place": str(place),
            "ranges": [str(r) for r in entry.payload.ranges],
            "run_id": run_id,
            "run": told.run_url(self._settings.prefect_ui, run_id),
        }

    def _letters(self) -> list[Node]:
        """List the dead letters of records on the way, and of this symbol's records of the session."""
        visited = [place for place in self._events if place.topic != "slices"]
        found = []
        for place in self._places.letters(self._symbol, visited):
            record = self._record(place)
            if record is None:
                continue
            letter = _letter(place, record, self._settings)
            if letter["of"] in map(str, visited) or _day_of(record.value) == self._day:
                found.append(letter)
        return found

    def _event(self, place: Place) -> Event[Any] | None:
        if place not in self._events:
            record = self._record(place)
            self._events[place] = _decoded(record.value) if record else None
        return self._events[place]

    def _record(self, place: Place) -> Any:
        spot = TopicPartition(place.topic, place.partition)
        batches = scanning.scan(self._looking, spot, place.offset, place.offset + 1)
        return next((record for batch in batches for record in batch), None)


def _cause(event: Event[Any]) -> Place | None:
    """Name the place of an event's cause, if it is on a topic of ours."""
    cause = event.metadata.causation
    known = cause is not None and cause.topic in TOPICS and cause.topic != LETTERS
    return Place(cause.topic, cause.partition, cause.offset) if cause and known else None


def _decoded(value: bytes | None) -> Event[Any] | None:
    try:
        return decode(value)
    except ContractError:
        return None


def _day_of(value: bytes | None) -> date | None:
    event = _decoded(value)
    return getattr(event.payload, "date", None) if event else None


def _letter(place: Place, record: Any, settings: Settings) -> Node:
    said = {name: value.decode(errors="replace") for name, value in record.headers}
    source = f"{said.get('source_topic')}-{said.get('source_partition')}@{said.get('source_offset')}"
    run = said.get("run_id", "")
    return {
        "place": str(place),
        "of": source,
        "flow": said.get("flow"),
        "reason": said.get("reason"),
        "run": told.run_url(settings.prefect_ui, run) if run else None,
    }
