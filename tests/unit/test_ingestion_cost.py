"""What a new session costs does not depend on how many are held."""

from datetime import timedelta

import pytest

from events.payloads import DataIngested
from tasks import ingestion
from tasks.announcements import _record
from tasks.core.grid import CARRY
from tasks.core.places import NEAR
from tasks.core.prices import session_to_parquet
from tests.ingesting import Exchange
from tests.unit.test_ingestion import rows, sessions

FIRST, SECOND, *_ = sessions()


def looked_at(history: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Ingest a session after so many: sessions made claims of, and objects read."""
    exchange, claims, reads = Exchange(), list[object](), list[str]()
    assert FIRST.day
    for number in range(history):
        day, location = FIRST.day - timedelta(days=history - number), f"s3://elsewhere/{number}"
        frame = rows(FIRST).assign(close=rows(FIRST)["close"] * (1 + number / history))
        exchange.store.objects[location] = session_to_parquet(frame)
        said = DataIngested(symbol="NEPSE", date=day, data_location=location)
        exchange.publish([_record("raw-data", said, location, location)])
    make, get = ingestion._known, exchange.store.get_many
    monkeypatch.setattr(ingestion, "_known", lambda known, held: claims.append(held) or make(known, held))
    monkeypatch.setattr(exchange.store, "get_many", lambda uris: reads.extend(uris) or get(uris))
    (line,) = exchange.command(SECOND)
    assert (line.session, line.note) == (str(SECOND.day), "")
    monkeypatch.undo()
    return len(claims), len(reads)


def test_a_new_session_looks_at_its_neighbours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those near it, and those that its adjustments are found from."""
    few = looked_at(60, monkeypatch)
    assert few == looked_at(240, monkeypatch)
    assert max(few) <= max(CARRY, NEAR) + 1
