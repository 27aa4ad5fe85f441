"""What the API tells of a version over time, of its intervals and of its shadows, without a database."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from infra.database.reads import intervals, shadows, skill
from infra.database.reads.intervals import Fallen
from infra.settings import load_settings
from tests.web_client import Reader
from web import shapes_models
from web.app import API, create_app

DAY = date(2024, 3, 4)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader of an app whose queries find a little."""
    nowhere: Any = object()
    monkeypatch.setattr("web.service.positions", lambda *_: {("errors", 0): 2})
    monkeypatch.setattr(intervals, "fallen", lambda *_: Fallen(20, 100, 3, 9, 38, 41, 6, 3))
    monkeypatch.setattr(shadows, "daily", lambda *_: {DAY: (2, 8.0, 4.0, 16.0, 5.0)})
    monkeypatch.setattr(skill, "days", lambda _: [DAY])
    monkeypatch.setattr(skill, "daily", lambda *_: {(DAY, "v1"): (2, 8.0, 4.0, 16.0, 5.0, 2, 1)})
    with Reader(create_app(load_settings(tmp_path), nowhere)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("models/v1/skill", shapes_models.Skill),
        ("models/v1/calibration?sessions=20", shapes_models.Calibration),
        ("models/v1/shadow", shapes_models.Shadow),
    ],
)
def test_every_answer_has_the_shape_that_is_declared(
    client: Reader, path: str, shape: type[BaseModel]
) -> None:
    """And an ETag, with which it is not sent again."""
    answer = client.get(f"{API}/{path}")
    assert shape.model_validate_json(answer.content).model_dump(mode="json") == answer.json()
    again = client.get(f"{API}/{path}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_intervals_are_compared_with_what_they_promise(
    client: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part by part, and both levels; where nothing was judged there is no share."""
    told = client.get(f"{API}/models/v1/calibration").json()
    assert (told["judged"], told["coverage_80"], told["coverage_95"]) == (100, 0.79, 0.94)
    assert [one["observed"] for one in told["items"]] == [0.03, 0.09, 0.38, 0.41, 0.06, 0.03]
    assert sum(one["expected"] for one in told["items"]) == pytest.approx(1)
    monkeypatch.setattr(intervals, "fallen", lambda *_: Fallen(0, *(0,) * 7))
    told = client.get(f"{API}/models/v9/calibration").json()
    assert (told["coverage_95"], told["items"][0]["observed"]) == (None, None)


def test_a_shadow_is_measured_beside_what_was_served(client: Reader) -> None:
    """Half the squared error of the served is a skill of a half."""
    told = client.get(f"{API}/models/v1/shadow").json()
    assert [(one["date"], one["skill"]) for one in told["items"]] == [("2024-03-04", 0.5)]
    assert (told["overall"]["rmse"], told["overall"]["baseline_mae"]) == (2.0, 2.5)


def test_skill_is_also_told_over_twenty_sessions(client: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that end with a session; the first ones over what there is."""
    days = [DAY - timedelta(back) for back in range(30)]
    sums = {(day, "v1"): (1, float(at < 25), 1.0, 1.0, 1.0, 1, 1) for at, day in enumerate(days)}
    monkeypatch.setattr(skill, "days", lambda _: days)
    monkeypatch.setattr(
        skill, "daily", lambda _, some: {key: one for key, one in sums.items() if key[0] in some}
    )
    lines = client.get(f"{API}/models/v1/skill").json()["items"]
    assert [round(one["recent_skill"], 2) for one in lines[::6]] == [1.0, 0.71, 0.38, 0.26, 0.0]
    assert lines[0]["date"] == "2024-02-04"
    assert {one["recent_coverage_95"] for one in lines} == {1.0}
