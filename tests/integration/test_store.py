"""The object store, on a real one."""

import io
import uuid
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from infra.errors import RejectError, TryAgainError
from infra.settings import Settings
from infra.store import OccupiedError, Store, to_parquet

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
    assert store.put_beside_many(objects) == dict(zip(objects, objects, strict=True))
    assert store.put_beside_many(objects) == dict(zip(objects, objects, strict=True))
    assert store.get_many(objects) == objects
    assert len(store.list(folder)) == len(objects)


def test_frames_keep_their_types(stack: Settings, folder: str) -> None:
    """Parquet there and back; equal frames have equal bytes."""
    frame = pd.DataFrame({"symbol": ["NABIL", "NICAD 85/86"], "close": [500.5, None]})
    store = Store(stack)
    assert store.put_new(f"{folder}/f.parquet", to_parquet(frame))
    assert not store.put_new(f"{folder}/f.parquet", to_parquet(frame.copy()))
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(store.get(f"{folder}/f.parquet"))), frame)


@pytest.mark.parametrize(
    "address", ["s3://{bucket}/none", "/etc/passwd", "s3://{bucket}/../x", "http://h/x", ""]
)
def test_a_missing_or_impossible_object_is_rejected(stack: Settings, address: str) -> None:
    """An event that names such an object becomes a dead letter; it is not tried for ever."""
    with pytest.raises(RejectError, match=r"does not exist|is not the address"):
        Store(stack).get(address.format(bucket=stack.raw_bucket))


def test_a_store_that_is_away_asks_for_patience(stack: Settings) -> None:
    """A refused connection is no fault of the record."""
    away = stack.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    away.__dict__.pop("s3_url", None)
    with pytest.raises(TryAgainError, match="did not serve"):
        Store(away).get(f"s3://{stack.raw_bucket}/x")
