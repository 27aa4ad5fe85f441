"""What a session that was none has led to is taken back, link by link, down to the errors."""

import random
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.payloads import ActualAvailable, DataIngested, DataRetracted, FeaturesComputed, PredictionMade
from infra.kafka.records import of_kind
from tasks.announcements import _record
from tasks.core.calendar import expected
from tasks.core.joining import error_of, new_pairs, side_of_actual, side_of_prediction
from tasks.core.prices import session_to_parquet
from tasks.core.tidy import tidy
from tasks.features import compute_vectors
from tasks.predictions import Vectors, make_predictions
from tasks.reading import Session
from tasks.retractions import withdrawn_vectors
from tasks.serving import PERSISTENCE, Choice
from tests.claims import snapshot
from tests.ingesting import Exchange, told
from tests.unit.test_ingestion import folder, rows, sessions

NOBODY: Any = SimpleNamespace(choose=lambda *_: Choice(PERSISTENCE))
Errors = dict[tuple[Any, ...], tuple[float, bool]]


def vectors_of(exchange: Exchange) -> list[FeaturesComputed]:
    """What compute-features publishes, one event of raw-data a slice."""
    found: list[FeaturesComputed] = []
    for received in exchange.raw:
        ingested = of_kind([received], DataIngested)
        for _, payloads in compute_vectors.fn(exchange.loop, ingested).computed:
            found += payloads
        causes = [*ingested, *of_kind([received], DataRetracted)]
        found += [v for _, payloads in withdrawn_vectors.fn(exchange.loop, causes) for v in payloads]
    return found


def predictions_of(vectors: list[FeaturesComputed]) -> list[PredictionMade]:
    """What predict publishes where no model serves."""
    made = make_predictions.fn(NOBODY, Vectors(vectors), expected([]))
    return [one.prediction for one in made if one.prediction]


def errors_of(exchange: Exchange) -> Errors:
    """The errors that count in the end, as a reader of the topic sees them."""
    predictions = [
        side_of_prediction(0, n, f"p{n}", "", made)
        for n, made in enumerate(predictions_of(vectors_of(exchange)))
    ]
    actuals = [
        side_of_actual(0, n, f"a{n}", "", known) for n, known in enumerate(exchange.events(ActualAvailable))
    ]
    newest: dict[tuple[Any, ...], Any] = {}
    for pair in new_pairs(predictions, actuals, (0, 0)):
        error = error_of(*pair)
        key = error.symbol, error.date, error.as_of
        if key not in newest or error.revision >= newest[key].revision:
            newest[key] = error
    return {key: (e.error, e.retracted) for key, e in newest.items() if not e.retracted}


def ingested(*commands: list[Session]) -> Exchange:
    """Ingest some commands."""
    exchange = Exchange()
    for command in commands:
        exchange.command(*command)
    return exchange


def test_the_vectors_of_a_phantom_are_taken_back() -> None:
    """As they were told, features and all, under the next revision."""
    first, second, *_ = sessions()
    assert second.day
    exchange = ingested([first, told(rows(second), second.day + timedelta(days=1))], [second])
    (phantom,) = exchange.events(DataRetracted)
    vectors = [v for v in vectors_of(exchange) if v.date == phantom.date]
    by_symbol: dict[str, list[FeaturesComputed]] = {}
    for vector in vectors:
        by_symbol.setdefault(vector.symbol, []).append(vector)
    assert set(by_symbol) == set(rows(second)["symbol"])
    for was, gone in by_symbol.values():
        assert (was.retracted, gone.retracted) == (False, True)
        assert gone.revision > was.revision
        assert gone.model_copy(update={"retracted": False, "revision": was.revision}) == was


def test_a_symbol_that_a_revision_leaves_out_is_taken_back() -> None:
    """Its vector, and nobody else's."""
    first, second, *_ = sessions()
    exchange = ingested([first, told(snapshot(rows(second)), second.day)])
    less = tidy(rows(second).iloc[1:])
    (second_told,) = [one for one in exchange.raw if one.payload.date == second.day]
    revise_by_hand(exchange, told(less, second.day), second_told.payload)
    gone = [v for v in vectors_of(exchange) if v.retracted]
    assert [v.symbol for v in gone] == [rows(second)["symbol"].iloc[0]]


def revise_by_hand(exchange: Exchange, content: Session, before: DataIngested) -> None:
    """Announce a revision as another client may."""
    location = f"s3://nepse-raw/{before.date}.by-hand.parquet"
    exchange.store.put_new(location, session_to_parquet(rows(content)))
    said = before.model_copy(update={"data_location": location, "revision": before.revision + 1})
    exchange.publish([_record("raw-data", said, "by-hand", "by-hand")])


def test_a_prediction_passes_on_that_its_vector_was_taken_back() -> None:
    """So that the join hears of it."""
    vector = FeaturesComputed(
        symbol="A", date=folder(0)[0][0].day, features={}, last_close=1.0, retracted=True
    )
    assert [made.retracted for made in predictions_of([vector])] == [True]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 3), order=st.randoms(use_true_random=False))
def test_errors_end_as_if_all_had_come_in_order(seed: int, order: random.Random) -> None:
    """One file a command, in any order: phantoms, late sessions and what came of them leave no trace."""
    found, truth = folder(seed)
    clean = errors_of(ingested([one for one in found if truth.get(one.day) == one.digest]))  # type: ignore[arg-type]
    files = list(found)
    order.shuffle(files)
    assert errors_of(ingested(*([one] for one in files))) == clean
