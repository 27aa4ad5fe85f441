"""Reconciling and rebuilding on a real broker and a real Postgres: clean books first, then planted faults.

The tests build on each other, in their order: each fault stays for the rest of the module.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from sqlalchemy import func, select, text

from events.envelope import Causation, Event, Metadata, encode
from events.payloads import (
    ActualAvailable,
    AlertRaised,
    DataIngested,
    FeaturesComputed,
    ModelTrained,
    OffsetRange,
    Payload,
    PredictionMade,
    SliceCommitted,
)
from infra.database import connection, projected, tables
from infra.errors import RejectError, ReplanError
from infra.kafka import clients, scanning
from infra.kafka.open_transactions import open_transactions
from infra.kafka.pool import Pool
from infra.kafka.records import Outgoing, Received, Run, of_kind, partition_of
from infra.kafka.slices import Slice, open_slice
from infra.kafka.source import Source
from infra.settings import Settings
from tasks import lineage, rebuilding
from tasks.core.hanging import hanging
from tasks.core.joining import error_of, expired, new_pairs, side_of_prediction
from tasks.join_slice import JoinSlice
from tasks.projections import READ_SIDE, follow_read_side
from tasks.rebuilding import Rebuilt, rebuild_read_side
from tasks.reconciling import Report, reconcile_all

pytestmark = pytest.mark.stack

DAY, NEXT = date(2024, 3, 3), date(2024, 3, 4)
SYMBOLS = [f"SYM{n}" for n in range(12)] + ["NICAD 85/86"]
PARTITIONS = range(3)


class Market:
    """A loop without sensors: slices are made by hand."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is published yet."""
        self.settings, self.pool = settings, Pool(settings)

    def publish(self, *records: Outgoing) -> None:
        """Publish as a source does."""
        source = Source(self.pool, "test")
        source.open()
        source.publish(records)
        source.close()

    def slice(
        self, flow: str, topics: tuple[str, ...], partition: int, step: Callable[[Slice], None]
    ) -> None:
        """Do one slice of all that is new, once what was just written is marked as committed."""
        spots = [TopicPartition(topic, partition) for topic in topics]
        with self.pool.reader(flow) as looking:
            ends, _ = scanning.settled_ends(self.settings, looking, spots)
            at = {spot: int(looking.committed(spot) or 0) for spot in spots}
        ranges = [
            OffsetRange(topic=t, partition=p, start=at[TopicPartition(t, p)], end=e)
            for (t, p), e in ends.items()
        ]
        if any(r.end > r.start for r in ranges):
            with open_slice(self.pool, Run(flow, f"run-of-{flow}"), ranges) as work:
                step(work)
                work.commit()

    def everything(self) -> None:
        """Let every flow do what is new."""
        self.slice("compute-features", ("raw-data",), 0, compute)
        self.slice("recompute", ("raw-data",), 0, lambda work: work.read() and None)
        self.slice("schedule-retraining", ("raw-data",), 0, lambda work: work.read() and None)
        self.slice("watch-drift", ("raw-data",), 0, lambda work: work.read() and None)
        for partition in PARTITIONS:
            self.slice("predict", ("features",), partition, predict)
        for partition in PARTITIONS:
            self.slice("join-errors", ("predictions", "actuals"), partition, join)


def compute(work: Slice) -> None:
    """A vector a symbol."""
    for cause in of_kind(work.read(), DataIngested):
        for symbol in SYMBOLS:
            payload = FeaturesComputed(
                symbol=symbol, date=cause.payload.date, features={"RSI": 1.0}, last_close=9.0
            )
            work.publish("features", payload, cause, symbol)


def predict(work: Slice) -> None:
    """A prediction a vector."""
    for cause in of_kind(work.read(), FeaturesComputed):
        payload = forecast(cause.payload.symbol, cause.payload.date)
        work.publish("predictions", payload, cause, payload.symbol)


def join(work: Slice) -> None:
    """An error a pair, of what is new on both sides."""
    joined = JoinSlice(work.read(), work.starts, work.ends)
    for prediction, actual in new_pairs(joined.predictions, joined.actuals, (0, 0)):
        error = error_of(prediction, actual)
        work.publish("errors", error, actual, prediction.id, error.revision)


def forecast(symbol: str, as_of: date) -> PredictionMade:
    """What v1 says."""
    return PredictionMade(
        symbol=symbol,
        date=as_of + timedelta(1),
        predicted_close=9.5,
        model_version="v1",
        as_of=as_of,
        last_close=9.0,
    )


def outgoing(
    topic: str,
    payload: Payload,
    name: str,
    producer: str = "ingest",
    cause: Causation | None = None,
    *,
    chain: str = "",
) -> Outgoing:
    """An event as a source publishes it."""
    event = Event(datetime.now(UTC), producer, payload, Metadata(name, chain or name, causation=cause))
    return Outgoing(topic, (payload.key or "model").encode(), encode(event))


def session(day: date) -> DataIngested:
    """A session of the whole market."""
    return DataIngested(symbol="NEPSE", date=day, data_location=f"s3://nepse-raw/{day}.parquet")


@pytest.fixture(scope="module")
def market(own_servers: Settings) -> Iterator[Market]:
    """Two sessions through the whole loop, with junk, a misplaced record and a repeated session."""
    made = Market(own_servers)
    trained = ModelTrained(
        model_version="v1",
        performance={},
        features_used=[],
        artifact_location="s3://m",
        training_end=date(2024, 3, 1),
    )
    made.publish(outgoing("models", trained, "trained"))
    made.publish(outgoing("raw-data", session(DAY), "first"))
    made.publish(*closes(NEXT, DAY, "second"), outgoing("raw-data", session(NEXT), "second"))
    foreign(own_servers)
    made.everything()
    for partition in PARTITIONS:  # what was sent on to its partition
        made.slice("predict", ("features",), partition, predict)
        made.slice("join-errors", ("predictions", "actuals"), partition, join)
    yield made
    made.pool.close()


def closes(day: date, previous: date, chain: str) -> list[Outgoing]:
    """The closes of a session."""
    return [
        outgoing(
            "actuals",
            ActualAvailable(symbol=s, date=day, actual_close=10.0, previous_date=previous),
            f"{s} {day}",
            chain=chain,
        )
        for s in SYMBOLS
    ]


def foreign(settings: Settings) -> None:
    """No event, and an event in a partition where its symbol does not belong."""
    producer = clients.plain_producer(settings)
    payload = FeaturesComputed(symbol="FOREIGN", date=DAY, features={}, last_close=1.0)
    value = outgoing("features", payload, "foreign").value
    for partition in PARTITIONS:
        producer.send("features", value, partition=partition)
    producer.send("features", b"junk", partition=0)
    producer.flush(timeout=20)
    producer.close()


def serious(report: Report) -> set[tuple[str, str]]:
    """What a person has to look at: kind and place."""
    return {(f.kind, f.where) for f in report.findings if f.serious}


def test_clean_books_are_clean(market: Market) -> None:
    """Junk has its letter, what was misplaced lies where it belongs, every pair made its error."""
    report = reconcile_all(market.settings)
    assert serious(report) == set(), report.findings
    assert report.sound
    total = {
        name: sum(a.as_dict()[name] for a in report.accounts) for name in ("lost", "dead_letters", "rerouted")
    }
    assert total == {"lost": 0, "dead_letters": 1, "rerouted": 2}
    joined = [a.joined for a in report.accounts if (a.flow, a.topic) == ("join-errors", "actuals")]
    assert sum(joined) == len(SYMBOLS)


def project(settings: Settings) -> None:
    """Bring the read side up to date."""
    ends, _ = rebuilding._bounds(settings, tuple(rebuilding.TOPICS))
    engine = connection.engine(settings)
    rebuilding._follow(
        lambda stop: follow_read_side(settings, stop),
        lambda: projected.positions(engine, READ_SIDE, ends),
        ends,
        "test",
    )


def test_a_lineage_reaches_from_the_raw_file_to_the_error(market: Market) -> None:
    """Every record with its place, the run that made it, the model, and the close that it met."""
    project(market.settings)
    found = lineage.trace(market.settings, "NICAD 85/86", NEXT)
    assert found["read_side_behind"] == {}
    first = found["predictions"][0]
    assert first["event"] == "PredictionMade"
    assert first["from"]["event"] == "FeaturesComputed"
    assert first["from"]["from"]["facts"]["data_location"] == f"s3://nepse-raw/{DAY}.parquet"
    assert first["slice"]["run"].endswith("/runs/flow-run/run-of-predict")
    assert first["model"]["mlflow"].endswith("/models/nepse-close/versions/1")
    assert first["model"]["events"][0]["facts"]["training_end"] == "2024-03-01"
    error = first["errors"][0]
    assert error["facts"]["error"] == -0.5
    assert error["slice"]["run_id"] == "run-of-join-errors"
    assert error["actual"]["announced"]["facts"]["date"] == str(NEXT)
    assert [p["facts"]["as_of"] for p in found["predictions"]] == [str(DAY), str(NEXT)]


def test_an_unknown_symbol_or_session_is_explained(market: Market) -> None:
    """One sentence with what is nearest."""
    with pytest.raises(RejectError, match=r"no symbol 'nicad': did you mean NICAD 85/86\?"):
        lineage.trace(market.settings, "nicad", NEXT)
    with pytest.raises(
        RejectError, match="nothing is known of SYM1 on 2023-01-01; the nearest dates are 2024-03-03"
    ):
        lineage.trace(market.settings, "SYM1", date(2023, 1, 1))


def test_a_lineage_tells_that_the_read_side_lags(market: Market) -> None:
    """What is on the topics and not projected yet."""
    market.publish(outgoing("raw-data", session(NEXT), "second"))
    assert "raw-data" in lineage.trace(market.settings, "SYM1", NEXT)["read_side_behind"]
    market.everything()


def same(found: list[Rebuilt]) -> dict[str, bool | None]:
    """How each table came out."""
    return {one.table: one.same for one in found}


def test_a_rebuilt_read_side_is_the_same(market: Market) -> None:
    """Every table, with what no event has written left alone."""
    said = AlertRaised(rule="r", alert_id="a", severity="warning", message="m")
    market.publish(*(outgoing("alerts", said, f"raise {number}") for number in range(3)))
    project(market.settings)
    found = rebuild_read_side(market.settings)
    assert set(same(found).values()) == {True}
    rows = {one.table: one.rows_after for one in found}
    assert (rows["predictions"], rows["errors"], rows["sessions"]) == (2 * len(SYMBOLS) + 1, len(SYMBOLS), 2)
    assert (rows["dead_letters"], rows["latest_features"]) == (1, len(SYMBOLS) + 1)
    assert (rows["alerts"], rows["alerts_standing"]) == (3, 1)


def test_a_rebuild_beside_a_projector_ends_well(market: Market) -> None:
    """Both project at once, and news come meanwhile: nothing is lost, nothing is there twice."""
    stop = threading.Event()
    live = threading.Thread(target=follow_read_side, args=(market.settings, stop), daemon=True)
    live.start()
    try:
        for number in range(3):
            market.publish(*closes(date(2024, 4, 1 + number), NEXT, "later"))
            assert False not in same(rebuild_read_side(market.settings)).values()
    finally:
        stop.set()
        live.join(30)
    project(market.settings)
    counted = {one.table: one.rows_after for one in rebuild_read_side(market.settings)}
    assert counted["actuals"] == 4 * len(SYMBOLS)


def test_a_rebuild_that_was_killed_is_run_again(market: Market) -> None:
    """Killed right after the tables were dropped: the next one ends where it should."""
    home = market.settings.home
    code = (
        "import os, signal; from pathlib import Path; from infra.settings import load_settings;"
        "from tasks import rebuilding;"
        "rebuilding._follow = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        f"rebuilding.rebuild_read_side(load_settings(Path({str(home)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
    assert count(market.settings, "actuals") == 0
    again = rebuild_read_side(market.settings)
    assert False not in same(again).values()
    assert {one.note for one in again} == {"not compared: nothing was projected before"}
    assert count(market.settings, "actuals") == 4 * len(SYMBOLS)


def count(settings: Settings, table: str) -> int:
    """Rows of a table."""
    with connection.engine(settings).connect() as open_:
        return int(
            open_.execute(select(func.count()).select_from(tables.metadata.tables[table])).scalar_one()
        )


def test_a_changed_row_is_named(market: Market) -> None:
    """A table that is not what the topics say comes out different."""
    with connection.engine(market.settings).begin() as open_:
        open_.execute(text("UPDATE errors SET error = error + 1 WHERE symbol = 'SYM1'"))
    found = rebuild_read_side(market.settings)
    assert [one.table for one in found if one.same is False] == ["errors"]
    assert set(same(rebuild_read_side(market.settings)).values()) == {True}


def test_a_projection_that_was_dropped_is_not_begun_in_its_middle(market: Market) -> None:
    """A batch read before the drop is refused, though no position is there to contradict it."""
    engine, place = connection.engine(market.settings), ("actuals", 0)
    with pytest.raises(ReplanError, match="no longer at 5"):
        projected.store(engine, "dropped", {}, {place: 5}, {place: 9})
    assert projected.positions(engine, "dropped", [place]) == {}
    projected.store(engine, "dropped", {}, {}, {place: 5})
    projected.store(engine, "dropped", {}, {place: 5}, {place: 9})
    assert projected.positions(engine, "dropped", [place]) == {place: 9}


def test_a_transaction_that_stays_open_is_listed(market: Market) -> None:
    """With its id, its partitions and its age; readers wait behind it, and the reconciliation says so."""
    producer = clients.producer(market.settings, "test.stuck")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send("alerts", b"x", partition=0)
    producer.flush(timeout=20)
    found = [t for t in open_transactions(market.settings) if t.transactional_id == "test.stuck"]
    producer.abort_transaction()
    producer.close()
    assert [(t.state, t.places, t.coordinated) for t in found] == [("Ongoing", ("alerts-0",), True)]
    assert [f.where for f in hanging(found, slack=-found[0].timeout)] == ["test.stuck"]
    assert hanging(found) == []


ALERT = AlertRaised(rule="r", severity="warning", message="m")


def lose(work: Slice) -> None:
    """Read and publish nothing."""
    work.read()


def test_planted_faults_are_found(market: Market) -> None:
    """A lost output, an overlap, a broken cause, an event made twice, a progress moved by hand."""
    number = partition_of(b"SYM1", market.settings.partitions)
    cause = Causation("raw-data", 0, 0, "first")
    span = OffsetRange(topic="raw-data", partition=0, start=0, end=1)
    entry = SliceCommitted(flow="compute-features", group="compute-features", ranges=[span], run_id="other")
    vector = FeaturesComputed(symbol="SYM1", date=DAY, features={}, last_close=1.0)
    market.publish(
        outgoing("slices", entry, "second entry", "compute-features"),
        outgoing("features", vector, "twin", "compute-features", cause),
        outgoing("features", vector, "twin", "compute-features", cause),
        outgoing("alerts", ALERT, "orphan", "monitor", Causation("errors", 0, 10**6, "none")),
    )
    market.slice("predict", ("features",), number, lose)
    move(market.settings, "notify", TopicPartition("alerts", 0), 2)
    assert serious(reconcile_all(market.settings)) == {
        ("overlap", "compute-features on raw-data-0"),
        ("doubled", f"features-{number}"),
        ("lost", f"predict on features-{number}"),
        ("broken-cause", "alerts-0"),
        ("gap", "notify on alerts-0"),
    }


def move(settings: Settings, group: str, spot: TopicPartition, offset: int) -> None:
    """Set a group's offset by hand."""
    with scanning.reader(settings, group) as looking:
        looking.assign([spot])
        looking.commit({spot: OffsetAndMetadata(offset, "moved", -1)})


def test_letters_that_the_topic_no_longer_keeps_stay(market: Market) -> None:
    """The read side alone still has them; an input of these days should have its letter on the topic."""
    admin = clients.admin(market.settings)
    admin.delete_records({TopicPartition("dead-letters", 0): 1})
    admin.close()
    assert False not in same(rebuild_read_side(market.settings)).values()
    assert count(market.settings, "dead_letters") == 1
    assert ("lost", "predict on features-0") in serious(reconcile_all(market.settings))


def test_a_lineage_tells_that_a_prediction_expired(market: Market) -> None:
    """In the slice in which that became certain, which is a later one than that of the prediction."""
    made, known = (
        forecast("GONE", DAY),
        ActualAvailable(symbol="GONE", date=date(2024, 5, 1), actual_close=1.0),
    )
    number, topics = partition_of(b"GONE", market.settings.partitions), ("predictions", "actuals")
    market.publish(outgoing("predictions", made, "gone"))
    seen: list[Received[PredictionMade]] = []
    market.slice(
        "join-errors", topics, number, lambda work: seen.extend(of_kind(work.read(), PredictionMade))
    )
    market.publish(outgoing("actuals", known, "much later"))
    market.slice("join-errors", topics, number, lambda work: expire(work, seen[-1]))
    project(market.settings)
    for day in (DAY, NEXT):
        (prediction,) = lineage.trace(market.settings, "GONE", day)["predictions"]
        (ended,) = prediction["expired"]
        assert (ended["event"], ended["facts"]["sessions_waited"]) == ("PredictionExpired", 3)
        (began,) = [span.partition("[")[2] for span in ended["slice"]["ranges"] if "predictions" in span]
        assert int(began.partition(",")[0]) > seen[-1].place.offset
        assert prediction["errors"] == []
    assert lineage.trace(market.settings, "SYM1", NEXT)["predictions"][0]["expired"] == []


def expire(work: Slice, cause: Received[PredictionMade]) -> None:
    """Give a prediction up, as the join does."""
    work.read()
    work.publish("errors", expired(side_of_prediction(0, 0, "", "", cause.payload), 3), cause, "expired")
