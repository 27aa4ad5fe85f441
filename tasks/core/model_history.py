"""What was said of each model version, gathered from the events of the models topic."""

from collections.abc import Iterable, Mapping
from typing import Any

Told = dict[str, Any]


def versions(events: Iterable[Mapping[str, Any]]) -> list[Told]:
    """Gather events by version, the version that was named last first.

    Args:
        events: event_type, model_version, timestamp and payload (JSON types), oldest first.

    Returns:
        model_version, serves, trained_at, promotions (oldest first) and training, the last payload of
        ModelTrained; the serving version is the last one that an event put into office.
    """
    found: dict[str, Told] = {}
    serving = None
    for event in events:
        version = event["model_version"]
        told = found.pop(version, None) or _unknown(version)
        _add(told, event)
        found[version] = told
        if takes_office(event["event_type"], event["payload"]):
            serving = version
    return [told | {"serves": told["model_version"] == serving} for told in reversed(found.values())]


def takes_office(event_type: str, payload: Mapping[str, Any]) -> bool:
    """Tell whether an event puts its version into office; ModelTrained does unless it says otherwise."""
    return event_type == "ModelPromoted" or payload.get("promoted") is not False


def _unknown(version: str) -> Told:
    return {"model_version": version, "trained_at": None, "promotions": [], "training": None}


def _add(told: Told, event: Mapping[str, Any]) -> None:
    if event["event_type"] == "ModelPromoted":
        told["promotions"].append({**event["payload"], "timestamp": event["timestamp"]})
    else:
        told.update(trained_at=event["timestamp"], training=event["payload"])
