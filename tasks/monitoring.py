"""Errors over many sessions: is the champion still as good as it promised?"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from itertools import islice
from statistics import fmean
from typing import Any

from events.envelope import derive_id
from events.payloads import ErrorComputed, ModelRetrainingTriggered, ModelTrained
from infra.bootstrap import Loop
from infra.database import state
from infra.database.connection import transaction
from infra.faults import reach
from infra.kafka.records import Because, Place, Received, of_kind
from tasks.core.alerting import SustainedError
from tasks.serving import PERSISTENCE

FLOW = "monitor"
LOOK_BACK = timedelta(days=45)
"""Far enough for the rule's sessions, holidays included."""

Due = list[tuple[Because, ModelRetrainingTriggered]]


def retraining_due(
    loop: Loop,
    received: list[Received[ErrorComputed]],
    ends: dict[tuple[str, int], int],
    refused: Collection[Place] = (),
) -> Due:
    """Ask for a retraining when a trained version errs clearly more than on its held-out sessions.

    Judged when a partition's first error of a new session arrives, on the sessions before it, which are whole
    then. Every partition judges its own symbols; a version is complained of once, by the partition that was
    first to, however many partitions and sessions agree, and only for sessions after the data of the last
    request: a training that saw them is on its way, or was no better. Errors at places `refused` do not
    count: they are open dead letters.

    Raises:
        TryAgainError: the database is away.
    """
    judged = [
        r
        for r in received
        if r.payload.model_version not in {None, PERSISTENCE} and r.payload.pct_error is not None
    ]
    if not judged:
        return []
    oldest = min(r.payload.date for r in judged) - LOOK_BACK
    with transaction(loop.database) as connection:
        state.append_window(connection, FLOW, [_row(r) for r in judged])
        history = [row for row in state.window(connection, FLOW, oldest, ends) if row[:3] not in refused]
    reach("state-written", FLOW)
    asked = _asked(loop)
    found = [(_because(r), due) for r in _firsts(judged) if (due := _judge(loop, r, history, asked))]
    ours = (pair for pair in found if _is_ours(loop, *pair))
    return list(islice(ours, 1))


def _asked(loop: Loop) -> date:
    """Look up to which session the newest request for a retraining reaches."""
    requests = of_kind(loop.training.between(0, loop.training.refresh()), ModelRetrainingTriggered)
    return max((r.payload.data_end_date for r in requests), default=date.min)


def _is_ours(loop: Loop, cause: Because, due: ModelRetrainingTriggered) -> bool:
    """Tell whether this version was not complained of before, and no other partition is about to.

    Looking at the topic alone would let two partitions that judge at once publish the same event.
    """
    event_id = derive_id(FLOW, cause.id, due.reason)
    return not loop.training.has(event_id) and state.claim(loop.database, event_id, cause.place)


def _row(received: Received[ErrorComputed]) -> state.WindowInput:
    error = received.payload
    values = {
        "version": error.model_version,
        "pct_error": abs(error.pct_error or 0.0),
        "as_of": str(error.as_of),
        "revision": error.revision,
        "retracted": error.retracted,
    }
    return state.WindowInput(*received.place, received.id, error.symbol, error.date, values)


def _firsts(received: list[Received[ErrorComputed]]) -> list[Received[ErrorComputed]]:
    """Keep the first error of each session and version."""
    firsts: dict[tuple[object, object], Received[ErrorComputed]] = {}
    for r in received:
        firsts.setdefault((r.payload.date, r.payload.model_version), r)
    return list(firsts.values())


def _because(received: Received[ErrorComputed]) -> Because:
    return Because(
        f"sustained error of {received.payload.model_version}", received.correlation_id, received.place
    )


def _judge(
    loop: Loop, cause: Received[ErrorComputed], history: list[state.WindowInput], asked: date
) -> ModelRetrainingTriggered | None:
    """Judge a version on its sessions that no requested training has seen."""
    day, version = cause.payload.date, cause.payload.model_version
    levels: dict[object, list[float]] = defaultdict(list)
    held = standing(history)
    for row in held:
        if asked < row.date < day and row.values["version"] == version:
            levels[row.date].append(row.values["pct_error"])
    sessions = [fmean(levels[d]) for d in sorted(levels)]  # type: ignore[type-var]
    why = SustainedError().verdict(sessions, _promised(loop, str(version)))
    last = max((row.date for row in held if row.date < day), default=day)
    return ModelRetrainingTriggered(reason="sustained_error", data_end_date=last, detail=why) if why else None


def standing(history: Iterable[state.WindowInput]) -> list[state.WindowInput]:
    """Keep the newest revision of each error, and none that was taken back.

    What is taken back is predicted once more, by the version that is valid then: that may be another one.
    """
    newest: dict[tuple[Any, ...], state.WindowInput] = {}
    gone: dict[tuple[Any, ...], int] = {}
    for row in history:
        session = row.symbol, row.date, row.values.get("as_of")
        key = *session, row.values["version"]
        if key not in newest or _revision(row) >= _revision(newest[key]):
            newest[key] = row
        if row.values.get("retracted"):
            gone[session] = max(_revision(row), gone.get(session, -1))
    kept = ((key, row) for key, row in newest.items() if not row.values.get("retracted"))
    return [row for key, row in kept if _revision(row) >= gone.get(key[:-1], -1)]


def _revision(row: state.WindowInput) -> int:
    return int(row.values.get("revision", 0))  # rows of older versions have none


def _promised(loop: Loop, version: str) -> float | None:
    """Look up the version's own mean absolute percentage error on its held-out sessions."""
    entries = loop.models.between(0, loop.models.refresh())
    trained = [r.payload for r in of_kind(entries, ModelTrained) if r.payload.model_version == version]
    return trained[-1].performance.get("mape") if trained else None
