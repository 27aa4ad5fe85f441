"""Alerts that somebody looks after: what is said of them again is told to nobody until they are over."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from events.alerts import rank
from events.payloads import AlertAcknowledged, AlertRaised, AlertResolved, Payload

GRAVEST = "critical"


class Care(NamedTuple):
    """Since which offset of `alerts` an alert is looked after, at which severity, and until which offset.

    One that is over where it begins says that the alert was over there, and nobody looked after it.
    """

    alert_id: str
    offset: int
    severity: str
    over_at: int | None = None


class Heard(NamedTuple):
    """An event of `alerts`, and where it lies."""

    offset: int
    event_id: str
    payload: Payload


def audible(
    events: Iterable[Heard], cares: Iterable[Care], severities: Mapping[str, str | None]
) -> tuple[list[Heard], list[Care]]:
    """Leave out what is raised again of alerts that somebody looks after.

    Care ends when the alert is over, or is raised at a higher severity than it had. Ends are told. It begins
    nowhere where the alert is over already: who said so meant what was before, and not what comes.

    Args:
        events: what was said, in its order.
        cares: who was looked after before.
        severities: what an alert was raised at before, by its id; None: it is over; one that nobody knows was
            of the gravest.

    Returns:
        What may be told, and the cares that began or ended here, those included that only say: over.
    """
    now, raised = {care.alert_id: care for care in cares}, dict(severities)
    changed: dict[tuple[str, int], Care] = {}
    told: list[Heard] = []
    for event in events:
        payload, name = event.payload, str(getattr(event.payload, "alert_id", None) or "")
        care = now.get(name)
        if care is None and (begun := _begun(event, name, raised.get(name, GRAVEST))):
            changed[name, event.offset] = begun
            now |= {name: begun} if begun.over_at is None else {}
        if isinstance(payload, AlertRaised | AlertResolved):
            raised[name] = payload.severity if isinstance(payload, AlertRaised) else None
        if care and _ends(payload, care):
            del now[name]
            changed[name, care.offset] = care._replace(over_at=event.offset)
        elif care and isinstance(payload, AlertRaised):
            continue
        told.append(event)
    return told, list(changed.values())


def _begun(event: Heard, name: str, severity: str | None) -> Care | None:
    """Say that somebody looks after an alert of a severity, or that it is over; None: neither begins here."""
    if isinstance(event.payload, AlertAcknowledged) and severity is not None:
        return Care(name, event.offset, severity)
    if isinstance(event.payload, AlertResolved) and name:
        return Care(name, event.offset, GRAVEST, event.offset)
    return None


def _ends(payload: Payload, care: Care) -> bool:
    graver = isinstance(payload, AlertRaised) and rank(payload.severity) > rank(care.severity)
    return graver or isinstance(payload, AlertResolved)
