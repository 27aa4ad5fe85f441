"""Answers are named by offsets: made once for all, sent only to who has them not, and never out of date."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from infra.errors import TryAgainError
from tests.web_client import Reader
from web import problems
from web.answers import KEPT, Answers
from web.version import AWAY_SECONDS, LONGEST_SECONDS, POLL_SECONDS, Version, happened

Offsets = dict[tuple[str, int], int]


class Tables:
    """A read side that stands where a test puts it."""

    def __init__(self, **offsets: int) -> None:
        """Stand at these offsets of partition 0."""
        self.offsets: Offsets = {(topic, 0): at for topic, at in offsets.items()}
        self.away = False

    def read(self) -> Offsets:
        """Tell where it stands."""
        if self.away:
            message = "the database did not answer"
            raise TryAgainError(message)
        return dict(self.offsets)


@pytest.fixture
def tables() -> Tables:
    """Two topics."""
    return Tables(errors=7, alerts=3)


def polled(tables: Tables) -> Version:
    """A version that was told once."""
    version = Version(tables.read)
    asyncio.run(version.poll())
    return version


def test_a_tag_is_of_the_topics_that_an_answer_depends_on(tables: Tables) -> None:
    """News elsewhere change it not, news there do."""
    version = polled(tables)
    errors, alerts = version.tag(["errors"]), version.tag(["alerts"])
    tables.offsets["alerts", 0] = 4
    asyncio.run(version.poll())
    assert version.tag(["errors"]) == errors
    assert version.tag(["alerts"]) != alerts
    assert version.tag(["errors"], 1) != errors


@pytest.mark.parametrize("gone", [False, True])
def test_tables_that_were_made_anew_have_other_tags(tables: Tables, gone: bool) -> None:
    """Also with the same offsets as before: other code may have filled them."""
    version = polled(tables)
    before, epoch = version.tag(["errors"]), version.epoch
    full = dict(tables.offsets)
    tables.offsets = {} if gone else full | {("alerts", 0): 2}
    asyncio.run(version.poll())
    tables.offsets = full
    asyncio.run(version.poll())
    assert version.epoch > epoch
    assert version.tag(["errors"]) != before


def test_tags_stay_while_offsets_grow_and_the_database_is_away(tables: Tables) -> None:
    """A time-out is no reason to make every answer anew."""
    version = polled(tables)
    before = version.tag(["errors"])
    tables.away = True
    asyncio.run(version.poll())
    tables.away = False
    tables.offsets["alerts", 0] = 9
    asyncio.run(version.poll())
    assert version.tag(["errors"]) == before


def test_what_another_process_told_has_another_tag(tables: Tables) -> None:
    """Nobody saw what happened to the tables between the two."""
    assert polled(tables).tag(["errors"]) != polled(tables).tag(["errors"])


def test_a_question_that_is_not_answered_is_waited_for_no_longer_than_said(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers are told; it is not asked a second time beside the first, whose answer counts when it comes."""
    monkeypatch.setattr("web.version.ANSWER_SECONDS", 0.01)
    gate, asked = threading.Event(), list[int]()

    def read() -> Offsets:
        asked.append(1)
        assert gate.wait(10)
        return tables.read()

    async def scene() -> dict[str, int]:
        version = Version(read)
        for _ in range(3):
            await version.poll()
            with pytest.raises(TryAgainError, match="did not answer within"):
                version.by_topic()
        assert asked == [1]
        gate.set()
        monkeypatch.setattr("web.version.ANSWER_SECONDS", 10.0)
        await version.poll()
        await version.poll()
        assert asked == [1, 1]
        return version.by_topic()

    assert asyncio.run(scene()) == {"errors": 7, "alerts": 3}


def test_who_ends_waits_for_the_question_that_is_open(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection would else be given back to nobody; but no longer than for any answer."""
    gate, answered = threading.Event(), list[Offsets]()

    def read() -> Offsets:
        assert gate.wait(10)
        answered.append(tables.read())
        return answered[-1]

    async def scene() -> None:
        version = Version(read)
        await version.settle()
        polling = asyncio.create_task(version.poll())
        await asyncio.sleep(0)
        polling.cancel()
        await asyncio.wait({polling})
        monkeypatch.setattr("web.version.ANSWER_SECONDS", 0.01)
        await version.settle()
        assert answered == []
        gate.set()
        monkeypatch.setattr("web.version.ANSWER_SECONDS", 10.0)
        await version.settle()
        assert len(answered) == 1

    asyncio.run(scene())


def test_nothing_is_known_before_the_first_poll_nor_while_the_database_is_away(tables: Tables) -> None:
    """An old state is not passed off as the present one, and comes back with the database."""
    fresh = Version(tables.read)
    with pytest.raises(TryAgainError, match="not asked yet"):
        fresh.tag(["errors"])
    tables.away = True
    asyncio.run(fresh.poll())
    with pytest.raises(TryAgainError, match="did not answer"):
        fresh.by_topic()
    tables.away = False
    asyncio.run(fresh.poll())
    assert fresh.by_topic() == {"errors": 7, "alerts": 3}


def test_whatever_fails_the_next_question_is_asked(
    tables: Tables, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a line in the log, ever less often, and at most so much less; readers are told to come again."""
    answers: list[Any] = [ZeroDivisionError("a fault"), ValueError("another"), tables.read()]
    version, pauses = Version(lambda: told(answers.pop(0))), list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if not answers:
            raise asyncio.CancelledError
        with pytest.raises(TryAgainError, match="its log says more"):
            version.by_topic()

    def told(answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("web.version.asyncio.sleep", pause)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(version.follow())
    assert pauses == [2 * AWAY_SECONDS, 4 * AWAY_SECONDS, POLL_SECONDS]
    assert version.by_topic() == {"errors": 7, "alerts": 3}
    assert "a fault" in caplog.text
    assert "another" in caplog.text


def test_a_fault_that_stays_is_asked_about_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses do not grow for ever."""

    def fails() -> Offsets:
        raise ZeroDivisionError

    version, pauses = Version(fails), list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 20:
            raise asyncio.CancelledError

    monkeypatch.setattr("web.version.asyncio.sleep", pause)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(version.follow())
    assert pauses[-1] == LONGEST_SECONDS
    assert pauses == sorted(pauses)


def test_news_are_told_to_who_waits_and_only_then(tables: Tables) -> None:
    """A poll that finds the same wakes up nobody."""

    async def scene() -> list[bool]:
        version = Version(tables.read)
        await version.poll()
        waiting, told = version.news, []
        await version.poll()
        told.append(await happened(waiting, 0.01))
        tables.offsets["errors", 0] = 8
        await version.poll()
        told.append(await happened(waiting, 0.01))
        told.append(await happened(version.news, 0.01))
        return told

    assert asyncio.run(scene()) == [False, True, False]


class Counted:
    """Makes bodies and counts how often; waits for `gate` first."""

    def __init__(self) -> None:
        """Nothing was made yet, and nothing has to be waited for."""
        self.made = 0
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False

    def __call__(self) -> Any:
        """Make the next body."""
        assert self.gate.wait(10)
        self.made += 1
        if self.fails:
            message = "away"
            raise TryAgainError(message)
        return {"made": self.made}


@pytest.fixture
def make() -> Counted:
    """What makes the bodies."""
    return Counted()


@pytest.fixture
def client(tables: Tables, make: Counted) -> Iterator[Reader]:
    """An app with one answer that depends on errors; `/poll` asks the database."""
    app, version = FastAPI(), Version(tables.read)
    answers = Answers(version)
    problems.register(app)

    @app.get("/errors")
    async def errors(request: Request) -> Response:
        return await answers.give(request, ["errors"], make)

    @app.post("/poll")
    async def poll() -> None:
        await version.poll()

    with Reader(app) as client:
        client.post("/poll")
        yield client


def test_who_has_an_answer_gets_no_body(client: Reader, tables: Tables, make: Counted) -> None:
    """Until there are news: then the same tag gets the new body."""
    first = client.get("/errors")
    assert first.json() == {"made": 1}
    again = client.get("/errors", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    tables.offsets["errors", 0] += 1
    client.post("/poll")
    news = client.get("/errors", headers={"if-none-match": f'W/"x", {first.headers["etag"]}'})
    assert news.json() == {"made": 2}
    assert make.made == 2


def test_a_body_is_made_once_for_each_address_and_version(client: Reader, make: Counted) -> None:
    """Other parameters are another address."""
    assert [client.get("/errors").json() for _ in range(3)] == [{"made": 1}] * 3
    assert client.get("/errors?limit=2").json() == {"made": 2}
    assert client.get("/errors").json() == {"made": 1}
    assert make.made == 2


def test_what_failed_is_tried_again(client: Reader, make: Counted) -> None:
    """No failure is kept as an answer."""
    make.fails = True
    failed = client.get("/errors")
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "2")
    make.fails = False
    assert client.get("/errors").json() == {"made": 2}


def test_as_many_addresses_are_kept_as_was_said(client: Reader, make: Counted) -> None:
    """Who asks for ever new addresses fills no memory."""
    for number in range(KEPT + 1):
        client.get(f"/errors?n={number}")
    client.get(f"/errors?n={KEPT}")
    assert make.made == KEPT + 1
    client.get("/errors?n=0")
    assert make.made == KEPT + 2


def test_as_many_bytes_are_kept_as_was_said(
    client: Reader, make: Counted, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for last is kept; of an address only its newest body counts."""
    monkeypatch.setattr("web.answers.MOST_BYTES", 2 * len(b'{"made":1}'))
    for number in (0, 0, 1, 0, 2, 0, 2):
        client.get(f"/errors?n={number}")
    assert make.made == 3
    client.get("/errors?n=1")
    assert make.made == 4
    for _ in range(3):
        tables.offsets["errors", 0] += 1
        client.post("/poll")
        client.get("/errors?n=2")
    client.get("/errors?n=1")
    client.get("/errors?n=2")
    assert make.made == 8


def test_several_that_ask_at_once_share_one_body(tables: Tables, make: Counted) -> None:
    """The second waits for the first's, also when the first goes away."""

    async def scene() -> list[bytes]:
        version = Version(tables.read)
        await version.poll()
        answers = Answers(version)
        make.gate.clear()
        requests = [asyncio.create_task(_give(answers, make)) for _ in range(3)]
        await asyncio.sleep(0)
        requests[0].cancel()
        make.gate.set()
        done = await asyncio.gather(*requests, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        return [bytes(one.body) for one in done[1:] if isinstance(one, Response)]

    assert asyncio.run(scene()) == [b'{"made":1}'] * 2


async def _give(answers: Answers, make: Callable[[], Any]) -> Response:
    scope = {"type": "http", "path": "/errors", "query_string": b"", "headers": [], "scheme": "http"}
    return await answers.give(Request({**scope, "server": ("test", 80)}), ["errors"], make)
