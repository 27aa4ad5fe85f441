"""Automations on a real Prefect server and its worker: what they see becomes an alert on the topic."""

from typing import Any

import pytest

from infra.settings import Settings
from infra.stack import operators, probes
from infra.wiring import full_name

pytestmark = pytest.mark.stack

LATER = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2100-01-01T00:00:00Z"}}
CRASHED = {"state": {"type": "CRASHED", "name": "Crashed", "message": "as a test wants it"}, "force": True}


def there(settings: Settings) -> dict[str, dict[str, Any]]:
    """Read the server's automations by name."""
    found = probes.get_json(f"{settings.prefect_ui}/api/automations/filter", {})
    return {one["name"]: one for one in found}


def crash(settings: Settings, deployment: str, **parameters: Any) -> None:
    """Create a run that nobody executes and say that it crashed, as who closes a dead process's runs does."""
    api = f"{settings.prefect_ui}/api"
    wired = probes.get_json(f"{api}/deployments/name/{full_name(deployment)}")
    body = {"state": LATER, "parameters": wired["parameters"] | parameters}
    run = probes.get_json(f"{api}/deployments/{wired['id']}/create_flow_run", body)
    probes.get_json(f"{api}/flow_runs/{run['id']}/set_state", CRASHED)


def test_automations_and_views_are_applied_once(stack: Settings) -> None:
    """The deploy step has made them; to do it again changes no number, and no id."""
    before = there(stack)
    assert {"A sensor keeps crashing", "A retraining failed"} <= set(before)
    operators.apply(stack)
    assert {name: one["id"] for name, one in there(stack).items()} == {n: o["id"] for n, o in before.items()}
    views = probes.get_json(f"{stack.prefect_ui}/api/saved_searches/filter", {})
    assert sorted(view["name"] for view in views) == [
        "By hand",
        "Failed and crashed",
        "Retraining",
        "Sensors",
    ]


def test_a_sensor_that_keeps_crashing_and_a_failed_retraining_are_told(stack: Settings, read: Any) -> None:
    """Three crashes of one sensor, one of a retraining: each is an alert with a name and a run."""
    for _ in range(3):
        crash(stack, "sensor-monitor")
    crash(stack, "retrain", slices=[])
    alert = read("alerts", lambda e: e["payload"]["rule"] == "sensor_crashed")["event"]
    assert alert["payload"]["labels"].keys() == {"deployment", "day"}
    assert alert["payload"]["labels"]["deployment"] == "sensor-monitor"
    assert alert["payload"]["message"].startswith("sensor-monitor ended badly three times")
    assert (alert["producer"], alert["payload"]["severity"]) == ("raise-alert", "critical")
    failed = read("alerts", lambda e: e["payload"]["rule"] == "retraining_failed")["event"]
    assert "ended as Crashed" in failed["payload"]["message"]
