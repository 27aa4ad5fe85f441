"""The API's answers without a database: shapes as declared, pages, problems, tokens."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import BaseModel, SecretStr
from sqlalchemy import Engine

from events.payloads import AlertAcknowledged
from events.topics import TOPICS
from infra.database import latest
from infra.database.reads import alerts, letters, market, models, newest, pipeline, skill
from infra.database.reads.newest import Cut, Page
from infra.database.reads.pipeline import Commit, Moments, Spot
from infra.errors import RejectError, TryAgainError
from infra.settings import Settings, load_settings
from infra.stack import probes
from infra.stack.conditions import Condition
from tests.api_rows import (
    ACTUAL,
    ALERT,
    ANSWERS,
    BEFORE,
    DAY,
    ERROR,
    HOSTILE,
    LETTER,
    NOW,
    PREDICTION,
    TRAINED,
    VECTOR,
)
from tests.web_client import Reader
from web import overview, shapes
from web.app import API, create_app
from web.routes import market as market_routes
from web.routes import operations

TOKEN = "the-token"  # noqa: S105
ALLOWED = {"authorization": f"Bearer {TOKEN}"}
QUIET = Moments(None, None)
SUMS = (2, 8.0, 4.0, 16.0, 5.0, 2, 1)


class Tables:
    """Stands in for the queries of the read side; a test changes what they find."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hold one row of each kind."""
        self.page = Page([PREDICTION], None)
        self.asked: list[tuple[Any, ...]] = []
        self.transactions = 0
        self.alert: dict[str, Any] | None = ALERT
        self.letter: dict[str, Any] | None = LETTER | {"headers": {"k": "v"}, "key": b"\x00", "value": None}
        self.away = False
        self.commits = {("predict", "features", 0): Commit(5, NOW, "r", ["v1"], 3, 5, NOW)}
        self.moments: dict[Spot, Moments] = {}
        self.conditions: list[Condition] = []
        fakes: dict[tuple[Any, str], Callable[..., Any]] = {
            (newest, "of_symbol"): self._symbol,
            (newest, "of_session"): self._session,
            (newest, "newest_session"): lambda *_: DAY,
            (market, "symbols"): lambda *_: [{n: VECTOR[n] for n in shapes.SymbolLine.model_fields}],
            (market, "sessions"): lambda *_: [DAY, BEFORE],
            (latest, "newest"): lambda _, symbol: VECTOR if symbol == "NABIL" else None,
            (market_routes, "reading"): self._reading,
            (latest, "symbols"): lambda _: ["NABIL"],
            (models, "told"): lambda _: [TRAINED],
            (skill, "days"): lambda _: [DAY],
            (skill, "daily"): lambda *_: {(DAY, "v1"): SUMS},
            (skill, "by_symbol"): lambda *_: {"NABIL": SUMS, "NICA": (0, 0.0, 0.0, 0.0, 0.0, 0, 0)},
            (alerts, "listed"): lambda _, **wanted: self._note(wanted) or [ALERT] * min(2, wanted["limit"]),
            (alerts, "one"): lambda *_: self.alert,
            (alerts, "counts"): lambda _: {"open": 1},
            (letters, "listed"): lambda _, **wanted: self._note(wanted) or [LETTER],
            (letters, "one"): lambda *_: self.letter,
            (letters, "still_open"): lambda _: {"predict": 1},
            (pipeline, "newest_slices"): lambda *_: self.commits,
            (pipeline, "moments"): lambda _, __, spots, ___: [self.moments.get(one, QUIET) for one in spots],
            (pipeline, "last_events"): lambda *_: {"features": NOW},
            (overview, "conditions"): lambda _: self.conditions,
        }
        for (module, name), fake in fakes.items():
            monkeypatch.setattr(module, name, fake)
        monkeypatch.setattr("web.service.positions", self._positions)
        monkeypatch.setattr(operations, "FRESH_SECONDS", 1e-9)  # what a test changes is seen at once

    def _positions(self, *_: object) -> dict[tuple[str, int], int]:
        if self.away:
            message = "the database did not answer"
            raise TryAgainError(message)
        return {("features", 0): 7, ("predictions", 0): 3, ("errors", 0): 2}

    def _reading(self, where: Any) -> AbstractContextManager[Any]:
        self.transactions += 1
        return nullcontext(where)

    def _note(self, *asked: Any) -> None:
        self.asked.append(asked)

    def _symbol(self, _: Engine, table: Any, symbol: str, span: tuple[date, date], cut: Cut) -> Page:
        self._note(symbol, span, cut)
        rows = {"predictions": PREDICTION, "actuals": ACTUAL, "errors": ERROR}
        return self.page._replace(rows=[rows[table.name]] if symbol == "NABIL" else [])

    def _session(self, _: Engine, table: Any, day: date, cut: Cut) -> Page:
        self._note(day, cut)
        rows = {"predictions": PREDICTION, "actuals": ACTUAL, "errors": ERROR}
        return self.page._replace(rows=[rows[table.name]])


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """The queries."""
    return Tables(monkeypatch)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    """Settings with a token."""
    return load_settings(tmp_path, api_token=SecretStr(TOKEN))


@pytest.fixture
def app(settings: Settings, tables: Tables) -> FastAPI:
    """The app on the stand-ins."""
    nowhere: Any = object()
    assert not tables.away
    return create_app(settings, nowhere)


@pytest.fixture
def client(app: FastAPI) -> Iterator[Reader]:
    """A reader."""
    with Reader(app) as client:
        yield client


@pytest.mark.parametrize(("path", "shape"), ANSWERS)
def test_every_answer_has_the_shape_that_is_declared(
    client: Reader, path: str, shape: type[BaseModel]
) -> None:
    """No field is missing, none is there that the document does not tell of."""
    answer = client.get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    told = shape.model_validate_json(answer.content)
    assert told.model_dump(mode="json").keys() == answer.json().keys()


def test_who_has_an_answer_is_told_so_without_a_thread(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody waits for those that make answers for others; a kept answer needs none either."""
    first = client.get(f"{API}/predictions")

    async def no_thread(*_: object, **__: object) -> None:
        raise AssertionError

    for module in ("anyio.to_thread.run_sync", "asyncio.to_thread"):
        monkeypatch.setattr(module, no_thread)
    again = client.get(f"{API}/predictions", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert client.get(f"{API}/predictions").content == first.content
    assert (
        client.get(f"{API}/predictions?limit=1").status_code == 500
    )  # no thread is left for what is missing


def test_a_prediction_tells_its_move_and_how_sure_it_is(client: Reader) -> None:
    """In percent; where its record lies can be looked up."""
    (told,) = client.get(f"{API}/predictions").json()["items"]
    assert told["expected_move_pct"] == pytest.approx(2.0)
    assert told["width_80_pct"] == pytest.approx(100 * 20 / 510)
    assert told["place"] == "predictions-1@12"


def test_a_symbol_is_read_in_one_transaction(client: Reader, tables: Tables) -> None:
    """Its four parts take one connection of the pool, not four."""
    found = client.get(f"{API}/symbols/NABIL").json()
    assert all(found[part] for part in ("vector", "prediction", "actual", "error"))
    assert tables.transactions == 1


def test_a_list_is_read_page_by_page(client: Reader, tables: Tables) -> None:
    """`next` of one page is where the following one begins, by session or by symbol."""
    tables.page = Page([], (DAY, BEFORE))
    first = client.get(f"{API}/predictions?symbol=NABIL").json()
    client.get(f"{API}/predictions", params={"symbol": "NABIL", "after": first["next"]})
    assert tables.asked[-1][2].after == (DAY, BEFORE)
    tables.page = Page([], ("NABIL", BEFORE))
    first = client.get(f"{API}/errors?date=2024-03-04").json()
    assert first["session"] == "2024-03-04"
    client.get(f"{API}/errors", params={"date": "2024-03-04", "after": first["next"]})
    assert tables.asked[-1][1].after == ("NABIL", BEFORE)


def test_the_following_page_is_about_the_same_session(
    client: Reader, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where none was asked for, and a newer one began meanwhile."""
    tables.page = Page([], ("NABIL", BEFORE))
    first = client.get(f"{API}/predictions").json()
    monkeypatch.setattr(newest, "newest_session", lambda *_: DAY + timedelta(days=1))
    following = client.get(f"{API}/predictions", params={"after": first["next"]}).json()
    assert (first["session"], following["session"]) == (str(DAY), str(DAY))
    assert tables.asked[-1] == (DAY, Cut(("NABIL", BEFORE), 100))


def test_the_newest_session_lies_no_more_than_a_month_ahead(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a foreign event dates beyond that is the start page of nobody."""
    until = list[date]()
    monkeypatch.setattr(newest, "newest_session", lambda *about: until.append(about[-1]))
    assert client.get(f"{API}/predictions").json()["session"] is None
    [day] = until
    assert timedelta(days=29) <= day - datetime.now(UTC).date() <= timedelta(days=31)


def test_more_alerts_than_asked_for_make_a_next_page(client: Reader, tables: Tables) -> None:
    """It begins behind the last one that was told."""
    first = client.get(f"{API}/alerts?limit=1").json()
    assert len(first["items"]) == 1
    client.get(f"{API}/alerts", params={"after": first["next"]})
    assert tables.asked[-1][0]["before"] == ALERT["raised_offset"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "date=04.03.2024",
        "after=!!",
        "after=WzFd",
        "sideways=1",
        "symbol=" + "x" * 65,
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(client: Reader, query: str) -> None:
    """With the parameter's name, as a problem document."""
    answer = client.get(f"{API}/predictions?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert query.split("=", maxsplit=1)[0] in answer.json()["detail"]


def test_what_is_unknown_names_what_looks_alike(client: Reader, tables: Tables) -> None:
    """404 and a sentence."""
    answer = client.get(f"{API}/symbols/NABLI")
    assert answer.status_code == 404
    assert "did you mean NABIL" in answer.json()["detail"]
    assert client.get(f"{API}/models/v7").status_code == 404
    tables.alert = tables.letter = None
    assert client.get(f"{API}/alerts/zz").status_code == client.get(f"{API}/letters/zz").status_code == 404
    assert client.get(f"{API}/nonsense").json()["title"] == "Not Found"


def test_a_database_that_is_away_is_said_so(app: FastAPI, tables: Tables) -> None:
    """Every answer is 503 with when to come back, and the app starts all the same."""
    tables.away = True
    with Reader(app) as client:
        for path in ("predictions", "health", "pipeline", "models"):
            answer = client.get(f"{API}/{path}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert answer.json()["detail"] == "the database did not answer"


def test_a_fault_tells_readers_nothing_of_the_inside(
    client: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has it."""
    monkeypatch.setattr(alerts, "one", lambda *_: 1 / 0)
    answer = client.get(f"{API}/alerts/a1")
    assert answer.status_code == 500
    assert "division" not in answer.text
    assert "division" in caplog.text


def test_browsers_run_nothing_foreign(client: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what a failure answers, and a fault of ours."""
    monkeypatch.setattr(alerts, "one", lambda *_: 1 / 0)
    assert client.get(f"{API}/alerts/a1").status_code == 500
    for path in ("health", "nonsense", "alerts/a1"):
        headers = client.get(f"{API}/{path}").headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


def test_hostile_text_is_told_as_json(client: Reader) -> None:
    """It comes as data, never as a page."""
    answer = client.get(f"{API}/letters")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["items"][0]["reason"] == HOSTILE


def test_bytes_of_a_letter_are_told_as_base64_and_cut(client: Reader, tables: Tables) -> None:
    """Whatever they are; four megabytes are not sent to a page."""
    assert tables.letter is not None
    tables.letter = tables.letter | {"value": b"\xff" * 100_000}
    told = client.get(f"{API}/letters/l0").json()
    assert told["key_base64"] == "AA=="
    assert (told["truncated"], len(told["value_base64"])) == (True, 87_384)


def test_what_is_said_of_a_version_once_more_is_no_training(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers a later request: the version was trained when that was told first, and serves as before."""
    first = TRAINED | {"payload": TRAINED["payload"] | {"artifact_sha256": "abc"}}
    later = {"timestamp": first["timestamp"] + timedelta(days=9), "offset": first["offset"] + 1}
    again = first | later | {"payload": first["payload"] | {"promoted": False}}
    monkeypatch.setattr(models, "told", lambda _: [first, again])
    [found, _] = client.get(f"{API}/models").json()["items"]
    assert (found["role"], found["trained_at"][:10]) == ("champion", "2024-03-04")


def test_versions_are_told_with_their_role_and_what_they_did(client: Reader) -> None:
    """The newest training first, persistence last."""
    found = client.get(f"{API}/models").json()["items"]
    assert [(one["model_version"], one["role"]) for one in found] == [
        ("v1", "champion"),
        ("v0", "never served"),
    ]
    assert found[0]["measured"]["skill"] == 0.5
    assert (found[0]["training"]["mape"], found[0]["trained_at"][:10]) == (1.5, "2024-03-04")


def flow(client: Reader, name: str) -> Any:
    """What the pipeline tells of a flow."""
    found = client.get(f"{API}/pipeline").json()["flows"]
    return next(one for one in found if one["flow"] == name)


def test_a_flow_lags_where_an_event_waits(client: Reader, tables: Tables) -> None:
    """By what the read side knows beyond its newest slice; a marker, which is no event, waits for nobody."""
    assert flow(client, "predict")["lag"] == 0
    tables.moments = {("predict", "features", 0): Moments(NOW, NOW - timedelta(seconds=1.5))}
    tables.moments["join-errors", "predictions", 0] = Moments(NOW, None)
    found = flow(client, "predict")
    assert (found["lag"], found["waiting_since"][:10], found["latency_s"]) == (2, "2024-03-04", 1.5)
    assert found["run"].endswith("/runs/flow-run/r")
    assert found["models"] == [
        {"version": "v1", "url": "http://127.0.0.1:5000/#/models/nepse-close/versions/1"}
    ]
    joined = flow(client, "join-errors")
    assert (joined["lag"], joined["last_commit"], joined["run"]) == (3, None, None)
    assert [(one["topic"], one["partition"]) for one in joined["partitions"]][:2] == [
        ("predictions", 0),
        ("predictions", 1),
    ]


def test_a_flow_is_as_well_as_its_progress_and_its_sensor_say(client: Reader, tables: Tables) -> None:
    """In one word, with the reason; where none reads for it there is nothing to judge."""
    spot = ("predict", "features", 0)
    assert flow(client, "predict")["state"] == "well"
    assert flow(client, "monitor")["state"] == "idle"
    assert flow(client, "ingest")["state"] is None
    found = list[str]()
    for seconds in (1, 20, 400):
        now = datetime.now(UTC)
        tables.commits = {spot: Commit(5, now - timedelta(seconds=seconds), "r")}
        tables.moments = {spot: Moments(now - timedelta(seconds=seconds), None)}
        found.append(flow(client, "predict")["state"])
    assert found == ["working", "lagging", "stuck"]
    assert "nothing was committed for 400 s" in flow(client, "predict")["why"]
    tables.moments = {}
    for state in ("paused", "stopped"):
        tables.conditions = [Condition("sensor-predict", "here", state, HOSTILE, "since then", 1, None)]
        assert flow(client, "predict")["state"] == state
    assert HOSTILE in flow(client, "predict")["why"]


def test_the_pipelines_diagram_is_that_of_the_wiring(client: Reader) -> None:
    """Every topic that flows write to or read from, and which do."""
    told = client.get(f"{API}/pipeline").json()
    topics = {one["topic"]: one for one in told["topics"]}
    assert set(topics) == set(TOPICS)
    assert (topics["features"]["partitions"], topics["features"]["offsets"]) == (3, 7)
    assert topics["features"]["last_event"][:10] == "2024-03-04"
    edges = {one["flow"]: (one["reads"], one["writes"]) for one in told["flows"]}
    assert edges["predict"] == (["features", "models"], ["predictions", "shadows", "alerts"])
    assert edges["join-errors"] == (["predictions", "actuals"], ["errors"])
    assert edges["ingest"] == ([], ["raw-data", "actuals"])
    assert edges["watch"] == ([], ["alerts"])
    written = {topic for _, writes in edges.values() for topic in writes}
    assert written == set(TOPICS) - {"slices", "dead-letters", "redrives"}


def test_a_lineage_is_walked_for_a_symbol_with_a_slash(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an unknown one is explained."""

    def walk(_: Settings, symbol: str, day: date) -> dict[str, str]:
        if symbol == "QQ":
            message = "no symbol 'QQ'"
            raise RejectError(message)
        return {"symbol": symbol, "session": str(day)}

    monkeypatch.setattr(operations, "trace", walk)
    told = client.get(f"{API}/lineage/NICAD 85/86/2024-03-04").json()
    assert told == {"symbol": "NICAD85/86", "session": "2024-03-04"}
    assert client.get(f"{API}/lineage/QQ/2024-03-04").status_code == 404
    assert client.get(f"{API}/lineage/QQ/yesterday").status_code == 422


def test_a_lineage_waits_for_its_turn_no_longer_than_said(
    client: Reader, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader is told to come back, and whose turn is over makes room for the next."""
    service = app.state.service
    monkeypatch.setattr(operations, "trace", lambda *_: {})
    monkeypatch.setattr(operations, "LINEAGE_SECONDS", 0.01)
    walking, service.walking = service.walking, asyncio.Semaphore(0)
    path = f"{API}/lineage/NABIL/2024-03-04"
    answer = client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["detail"] == "2 lineages are being walked: ask again in a moment"
    service.walking = walking
    assert [client.get(path).status_code for _ in range(3)] == [200] * 3


def test_the_document_names_every_path_and_its_shape(client: Reader) -> None:
    """Only commands change anything, and each of them says that it may be refused."""
    document = client.get(f"{API}/openapi.json").json()
    paths = document["paths"]
    changing = {path for path, ways in paths.items() if set(ways) - {"get"}}
    assert changing == {
        f"{API}/alerts/{{alert_id}}/acknowledge",
        f"{API}/letters/{{letter_id}}/redrive",
        f"{API}/models/{{version}}/promote",
    }
    assert all({"401", "403", "409"} <= set(paths[path]["post"]["responses"]) for path in changing)
    assert "Prediction" in document["components"]["schemas"]


COMMANDS = [
    ("alerts/a1/acknowledge", {"by": "ram"}),
    ("letters/l0/redrive", None),
    ("models/v1/promote", {"reason": "better"}),
]


@pytest.mark.parametrize(("path", "body"), COMMANDS)
@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 401), ("Basic the-token", 401), ("Bearer wrong", 403), ("Bearer ", 403), ("Bearer \u00e9", 403)],
)
def test_without_the_token_nothing_is_done(
    client: Reader, path: str, body: Any, header: str | None, status: int
) -> None:
    """Also not with a cookie that a browser would send by itself."""
    headers = {"authorization": header.encode("latin-1")} if header else {}
    cookie = {"cookie": f"authorization=Bearer {TOKEN}".encode()}
    answer = client.post(f"{API}/{path}", json=body, headers=headers | cookie)
    assert answer.status_code == status
    assert TOKEN not in answer.text


def test_where_no_token_is_set_nobody_may(settings: Settings, tables: Tables) -> None:
    """An empty token is no token that one could send."""
    nowhere: Any = object()
    assert not tables.away
    app = create_app(settings.model_copy(update={"api_token": SecretStr("")}), nowhere)
    with Reader(app) as client:
        answer = client.post(f"{API}/letters/l0/redrive", headers={"authorization": "Bearer "})
    assert answer.status_code == 403
    assert "NEPSE_API_TOKEN" in answer.json()["detail"]


def test_an_acknowledgement_is_published_once_for_a_raise(
    client: Reader, app: FastAPI, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who says so; an alert that is not open refuses."""
    sent: list[Any] = []
    known = app.state.service.acknowledgements
    monkeypatch.setattr(known, "publish", lambda *told: sent.append(told) or "id")
    path, body = f"{API}/alerts/a1/acknowledge", {"by": "ram", "note": "on it"}
    assert client.post(path, json=body, headers=ALLOWED).status_code == 202
    payload = AlertAcknowledged(rule="absolute_error", alert_id="a1", by="ram", note="on it")
    assert sent == [(payload, 9, "c")]
    tables.alert = ALERT | {"state": "resolved"}
    assert client.post(path, json=body, headers=ALLOWED).status_code == 409
    assert client.post(path, json={"by": ""}, headers=ALLOWED).status_code == 422
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"by": "ra\0m"}, "body.by: the control character U+0000"),
        ({"by": "ram", "note": "a\x1b[31m"}, "body.note: the control character U+001B"),
        ({"by": "ram", "note": "a\nb"}, "body.note: the control character U+000A"),
        ({"by": "\u202emar"}, "body.by: the control character U+202E"),
    ],
)
def test_control_characters_are_refused(
    client: Reader, app: FastAPI, monkeypatch: pytest.MonkeyPatch, said: dict[str, str], named: str
) -> None:
    """With a sentence; nothing is published."""
    monkeypatch.setattr(app.state.service.acknowledgements, "publish", lambda *_: 1 / 0)
    answer = client.post(f"{API}/alerts/a1/acknowledge", json=said, headers=ALLOWED)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(named)


def test_who_writes_nepali_is_not_refused(
    client: Reader, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its joiner is no control character."""
    sent: list[Any] = []
    monkeypatch.setattr(app.state.service.acknowledgements, "publish", lambda *told: sent.append(told) or "")
    said = {"by": "राम", "note": "गर्\u200dदै छु"}
    answer = client.post(f"{API}/alerts/a1/acknowledge", json=said, headers=ALLOWED)
    assert (answer.status_code, sent[0][0].note) == (202, said["note"])


def test_answers_are_measured_by_route(
    client: Reader, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the route as it is declared, whatever the address holds; what is no route is one of a kind."""
    assert tables.letter is not None

    def counted(route: str, status: str, method: str = "GET") -> float:
        labels = {"route": route, "method": method, "status": status}
        return REGISTRY.get_sample_value("nepse_http_request_duration_seconds_count", labels) or 0.0

    routes = f"{API}/letters/{{letter_id}}", "/letters/{letter_id}", "/{address:path}"
    wanted = list(zip(routes, ("200", "200", "404"), strict=True))
    before = [counted(*one) for one in wanted]
    for number in range(3):
        assert client.get(f"{API}/letters/l1").status_code == 200
        assert client.get(f"/letters/{number}").status_code == 200
        assert client.get(f"/nothing/{number}").status_code == 404
    assert [counted(*one) for one in wanted] == [number + 3 for number in before]
    fault = f"{API}/alerts/{{alert_id}}", "500"
    faults = counted(*fault)
    monkeypatch.setattr(alerts, "one", lambda *_: 1 / 0)
    assert client.get(f"{API}/alerts/a1").status_code == 500
    assert counted(*fault) == faults + 1


def test_a_letter_is_tried_again_by_a_run(
    client: Reader, tables: Tables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its page is told; who did it is in the log, the token is not; one that went through refuses."""
    caplog.set_level("INFO", "nepse.audit")
    asked: list[tuple[str, Any]] = []

    def answer(url: str, body: Any = None) -> dict[str, str]:
        asked.append((url, body))
        return {"id": "one"}

    monkeypatch.setattr(probes, "get_json", answer)
    done = client.post(f"{API}/letters/l0/redrive", headers=ALLOWED)
    assert (done.status_code, done.json()["url"][-9:]) == (202, "w-run/one")
    assert asked[0][0].endswith("/api/deployments/name/redrive/redrive")
    assert asked[1][0].endswith("/api/deployments/one/create_flow_run")
    assert asked[1][1]["parameters"] == {"ids": ["l0"]}
    assert "idempotency_key" not in asked[1][1]
    assert '"command":"redrive"' in caplog.text
    assert TOKEN not in caplog.text
    assert tables.letter is not None
    tables.letter = tables.letter | {"resolved": True}
    assert client.post(f"{API}/letters/l0/redrive", headers=ALLOWED).status_code == 409


def test_a_promotion_is_a_run_as_well(client: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and one a key; a Prefect that is away is said so."""
    asked: list[Any] = []
    monkeypatch.setattr(probes, "get_json", lambda _, body=None: asked.append(body) or {"id": "one"})
    path, body = f"{API}/models/v1/promote", {"reason": "better"}
    assert client.post(path, json=body, headers=ALLOWED).status_code == 202
    assert asked[1]["parameters"] == {"version": "v1", "reason": "better"}
    for wanted in (path, f"{API}/letters/l0/redrive"):
        assert client.post(wanted, json=body, headers=ALLOWED | {"Idempotency-Key": "k1"}).status_code == 202
        assert asked[-1]["idempotency_key"] == "k1"
    assert client.post(path, json=body, headers=ALLOWED | {"Idempotency-Key": "k" * 201}).status_code == 422

    def away(*_: object) -> None:
        message = "http://p does not answer"
        raise TryAgainError(message)

    monkeypatch.setattr(probes, "get_json", away)
    assert client.post(path, json=body, headers=ALLOWED).status_code == 503
