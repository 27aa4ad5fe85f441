"""The object store, on a real one."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from infra.errors import RejectError, TryAgainError
from infra.settings import Settings
from infra.store import OccupiedError, Store

pytestmark = pytest.mark.stack


@pytest.fixture
def folder(stack: Settings) -> str:
    """A place of this test's own."""
    return f"s3://{stack.raw_bucket}/test-{uuid.uuid4().hex}"


def test_an_object_is_written_once(stack: Settings, folder: str) -> None:
    """The same content again is no news; other content is refused and the first stays."""
    store = Store(stack)
    assert store.put_new(f"{folder}/a", b"one")
    assert not store.put_new(f"{folder}/a", b"one")
    with pytest.raises(OccupiedError, match="other content"):
        store.put_new(f"{folder}/a", b"two")
    assert store.get(f"{folder}/a") == b"one"


def test_of_many_writers_at_once_one_wins(stack: Settings, folder: str) -> None:
    """The condition is the server's: two processes can't both believe that theirs is the object."""

    def write(content: bytes) -> bool:
        try:
            return Store(stack).put_new(f"{folder}/raced", content)
        except OccupiedError:
            return False

    contents = [f"writer {n}".encode() for n in range(8)]
    with ThreadPoolExecutor(len(contents)) as threads:
        won = list(threads.map(write, contents))
    assert won.count(True) == 1
    assert Store(stack).get(f"{folder}/raced") == contents[won.index(True)]


def test_what_another_process_wrote_is_seen_at_once(stack: Settings, folder: str) -> None:
    """No listing is cached."""
    reader, writer = Store(stack), Store(stack)
    assert reader.list(folder) == []
    assert not reader.exists(f"{folder}/late")
    writer.put_new(f"{folder}/late", b"x")
    assert reader.exists(f"{folder}/late")
    assert reader.list(folder) == [f"{folder}/late"]


def test_many_objects_go_and_come_back(stack: Settings, folder: str) -> None:
    """A batch is what single calls would have done."""
    objects = {f"{folder}/{n:03}": f"content {n}".encode() for n in range(100)}
    store = Store(stack)
    assert all(store.put_new_many(objects).values())
    assert not any(store.put_new_many(objects).values())
    assert store.get_many(objects) == objects


def test_frames_keep_their_types(stack: Settings, folder: str) -> None:
    """Parquet there and back; equal frames have equal hashes."""
    frame = pd.DataFrame({"symbol": ["NABIL", "NICAD 85/86"], "close": [500.5, None]})
    store = Store(stack)
    digest = store.put_frame(f"{folder}/f.parquet", frame)
    assert store.put_frame(f"{folder}/g.parquet", frame.copy()) == digest
    pd.testing.assert_frame_equal(store.get_frame(f"{folder}/f.parquet"), frame)


@pytest.mark.parametrize(
    "address", ["s3://{bucket}/none", "/etc/passwd", "s3://{bucket}/../x", "http://h/x", ""]
)
def test_a_missing_or_impossible_object_is_rejected(stack: Settings, address: str) -> None:
    """An event that names such an object becomes a dead letter; it is not tried for ever."""
    with pytest.raises(RejectError, match=r"does not exist|is not the address"):
        Store(stack).get(address.format(bucket=stack.raw_bucket))


def test_an_object_that_is_no_parquet_is_rejected(stack: Settings, folder: str) -> None:
    """Whoever put it there, the reason names it."""
    store = Store(stack)
    store.put_new(f"{folder}/no.parquet", b"not parquet")
    with pytest.raises(RejectError, match=r"no\.parquet is not a readable parquet"):
        store.get_frame(f"{folder}/no.parquet")


def test_a_store_that_is_away_asks_for_patience(stack: Settings) -> None:
    """A refused connection is no fault of the record."""
    away = stack.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    away.__dict__.pop("s3_url", None)
    with pytest.raises(TryAgainError, match="did not serve"):
        Store(away).get(f"s3://{stack.raw_bucket}/x")
