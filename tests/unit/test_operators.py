"""What the file for operators declares fits Prefect, the wiring and the flow that automations run."""

import inspect
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.server.events.schemas.automations import AutomationCreate
from prefect.server.events.schemas.events import ReceivedEvent

from flows import raise_alert as flow
from flows.raise_alert import raise_alert
from infra.settings import Settings
from infra.stack import operators, probes
from infra.wiring import deployment_names, deployments, full_name

DECLARED: dict[str, Any] = yaml.safe_load(operators.FILE.read_text())
NOBODY = UUID(int=1)


class Server:
    """A Prefect server that keeps automations and views, and knows every deployment."""

    def __init__(self) -> None:
        """Nothing is there yet."""
        self.automations: list[dict[str, Any]] = []
        self.views: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []

    def answer(self, url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Answer as the server does."""
        path = url.partition("/api/")[2]
        self.asked.append((method or ("POST" if body else "GET"), path))
        if path.startswith("deployments/name/"):
            return {"id": str(NOBODY), "name": path}
        assert body is not None
        if path == "automations/filter":
            names = body["automations"]["name"]["any_"]
            return [one for one in self.automations if one["name"] in names]
        if path == "automations/":
            self.automations.append({"id": f"a{len(self.automations)}", **body})
        elif path == "saved_searches/":
            self.views[body["name"]] = body
        else:
            known = next(one for one in self.automations if path == f"automations/{one['id']}")
            known.update(body)
        return None


def test_each_is_made_once_and_then_renewed(monkeypatch: Any) -> None:
    """By its name; what a person paused stays paused, and what is not declared is left alone."""
    server = Server()
    monkeypatch.setattr(probes, "get_json", server.answer)
    operators.apply(Settings())
    names = [one["name"] for one in DECLARED["automations"]]
    assert [one["name"] for one in server.automations] == names
    server.automations[0] |= {"enabled": False, "description": "old"}
    server.automations.append({"id": "mine", "name": "mine"})
    operators.apply(Settings())
    assert [one["name"] for one in server.automations] == [*names, "mine"]
    assert [one.get("enabled") for one in server.automations] == [False, True, None]
    assert server.automations[0]["description"] == DECLARED["automations"][0]["description"]
    assert set(server.views) == {one["name"] for one in DECLARED["views"]}


def test_prefect_takes_each_automation() -> None:
    """As its own client reads them, with the deployment's id in place of its name."""
    for declared in DECLARED["automations"]:
        actions = [
            {**{k: v for k, v in action.items() if k != "deployment"}, "source": "selected"}
            | {"deployment_id": str(NOBODY)}
            for action in declared["actions"]
        ]
        read = AutomationCore.model_validate({**declared, "actions": actions})
        assert read.enabled


def test_what_automations_run_is_there_and_takes_what_they_say() -> None:
    """The deployment is wired, and its flow has these parameters."""
    known = {full_name(one["name"]) for one in deployments()}
    parameters = set(inspect.signature(raise_alert.fn).parameters)
    for action in (action for one in DECLARED["automations"] for action in one["actions"]):
        assert action["deployment"] in known
        assert set(action["parameters"]) <= parameters


def test_a_long_message_is_cut(monkeypatch: Any) -> None:
    """An alert has to be raised, however much the run that failed has to say."""
    raised: list[Any] = []
    monkeypatch.setattr(flow, "connect", lambda: None)
    monkeypatch.setattr(flow, "raise_once", lambda _loop, alert, _run: raised.append(alert))
    raise_alert.fn("odd", "x" * 9_000, labels={"part": "kafka"})
    assert [(one.rule, one.severity, len(one.message), one.labels) for one in raised] == [
        ("odd", "warning", 1_000, {"part": "kafka"})
    ]


def test_views_are_of_tags_and_states_that_there_are() -> None:
    """A view of a tag that no deployment carries would be empty for ever."""
    for view in DECLARED["views"]:
        assert all(deployment_names(tag) for tag in view.get("tag", []))
        assert set(view.get("state", [])) <= {"failed", "crashed"}
        assert view["days"] > 0


@pytest.mark.parametrize(
    ("flow", "state", "fires"),
    [
        ("sensor", "Crashed", [True, False]),
        ("sensor", "Failed", [True, False]),
        ("sensor", "Completed", [False, False]),
        ("retrain", "Failed", [False, True]),
        ("predict", "Crashed", [False, False]),
    ],
)
def test_an_automation_sees_the_runs_that_it_is_for(flow: str, state: str, fires: list[bool]) -> None:
    """As the server judges its own events; sensors are counted each for itself."""
    now = datetime.now(UTC)
    event = ReceivedEvent.model_validate(
        {
            "id": uuid4(),
            "occurred": now,
            "received": now,
            "event": f"prefect.flow-run.{state}",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{uuid4()}"},
            "related": [
                {"prefect.resource.id": f"{role}.{flow}"}
                | {"prefect.resource.role": role, "prefect.resource.name": flow}
                for role in ("flow", "deployment")
            ],
        }
    )
    nothing = [{"type": "do-nothing"}]
    triggers: list[Any] = [
        AutomationCreate.model_validate({**one, "actions": nothing}).trigger
        for one in DECLARED["automations"]
    ]
    assert [trigger.covers(event) and trigger.expects(event.event) for trigger in triggers] == fires
    assert [trigger.bucketing_key(event) for trigger in triggers] == [(f"deployment.{flow}",), ()]
