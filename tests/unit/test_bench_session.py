"""A new session in the benchmark goes through the flow's own step, whose answers are the batch's."""

from datetime import date

from bench import market, session
from bench.ourside import panel_of
from tasks.core import features
from tasks.core.simulator import simulate
from tasks.features import compute_vectors


def test_vectors_of_a_session_in_memory_are_those_of_the_batch() -> None:
    """Sessions announced one after the other give, by the flow's step, what all of history gives."""
    made = market.Market("a test", [(one.date, one.rows) for one in simulate(40, 10, seed=5)])
    memory = session.Memory()
    for day, rows in made.days:
        cause = memory.ingest(day, session.session_to_parquet(rows))
    [(_, payloads)] = compute_vectors.fn(memory, [cause]).computed
    expected = features.compute(panel_of(made), made.days[-1][0])
    assert [one.symbol for one in payloads] == expected["symbol"].tolist()
    assert [one.features for one in payloads] == features.to_payload_rows(expected)
    origin = session.event(cause, payloads[0]).metadata.causation
    assert origin is not None
    assert (origin.topic, origin.offset) == ("raw-data", 39)


def test_years_of_history_are_announced_before_the_measured_sessions() -> None:
    """All but the last are ingested; contents repeat, so that the newest are the real ones in their order."""
    last = date(2024, 3, 3)
    stored = [bytes([n]) for n in range(7)]
    memory, coming = session.announced(1, stored, last)
    assert len(memory.topic.entries) + len(coming) == session.SESSIONS_A_YEAR
    assert coming[-1] == (last, stored[-1])
    assert [content for _, content in coming[-7:]] == stored
    assert memory.topic.refresh() == len(memory.objects) == session.SESSIONS_A_YEAR - len(coming)
