"""Automations and saved views of runs, as `operators.yaml` declares them, at the Prefect server.

By Prefect's HTTP interface, as all of `infra.stack`: its client takes seconds to import.
"""

from pathlib import Path
from typing import Any

import yaml

from infra.settings import Settings, load_settings
from infra.stack import probes

FILE = Path(__file__).with_name("operators.yaml")
DAY_SECONDS = 86_400

Json = dict[str, Any]


def apply(settings: Settings) -> None:
    """Make or renew each automation and view by its name; what is not in the file is left alone.

    Raises:
        TryAgainError: the Prefect server does not answer, refuses one, or lacks a deployment that one runs.
    """
    declared = yaml.safe_load(FILE.read_text())
    api = f"{settings.prefect_ui}/api"
    for automation in declared["automations"]:
        _automate(api, automation)
    for view in declared["views"]:
        probes.get_json(f"{api}/saved_searches/", _search(view), "PUT")


def _automate(api: str, declared: Json) -> None:
    """Send an automation; the server knows deployments by their ids only."""
    actions = [_action(api, action) for action in declared["actions"]]
    wanted = {"enabled": True, **declared, "actions": actions}
    chosen = {"automations": {"name": {"any_": [declared["name"]]}}}
    found = probes.get_json(f"{api}/automations/filter", chosen)
    if not found:
        probes.get_json(f"{api}/automations/", wanted)
    for known in found:
        told = {**wanted, "enabled": known["enabled"]}
        probes.get_json(f"{api}/automations/{known['id']}", told, "PUT")


def _action(api: str, declared: Json) -> Json:
    name = declared["deployment"]
    deployment = probes.get_json(f"{api}/deployments/name/{name}")
    rest = {key: value for key, value in declared.items() if key != "deployment"}
    return {**rest, "source": "selected", "deployment_id": deployment["id"]}


def _search(view: Json) -> Json:
    """Write a view as Prefect's page reads it: what the runs have in common, and how far it looks back."""
    span = {"type": "span", "seconds": -view["days"] * DAY_SECONDS}
    asked = {name: view[name] for name in ("state", "tag") if name in view} | {"range": span}
    kinds = {"object": "flow_run", "type": "string", "operation": "equals"}
    return {
        "name": view["name"],
        "filters": [{**kinds, "property": name, "value": value} for name, value in asked.items()],
    }


def main() -> None:
    """Do it for the server that the environment names: `python -m infra.stack.operators`."""
    apply(load_settings())


if __name__ == "__main__":
    main()
