"""Errors over many sessions: is the champion still as good as it promised?"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from statistics import fmean
from typing import Any

from events.envelope import derive_id
from events.payloads import ErrorComputed, ModelRetrainingTriggered
from infra.bootstrap import Loop
from infra.database import state
from infra.database.connection import transaction
from infra.faults import reach
from infra.kafka.records import Because, Place, Received
from tasks.core.grid import BAND
from tasks.core.sustained import Level, Record, SustainedError
from tasks.core.triggering import SUSTAINED_ERROR, Past, may_complain, remembered
from tasks.serving import PERSISTENCE
from tasks.triggers import asked_and_trained

FLOW = "monitor"
LOOK_BACK = timedelta(days=75)
"""Far enough for the sessions for which a complaint is remembered, holidays included."""
KEPT = timedelta(days=400)
"""So far behind the newest session errors are kept; older slices can't be replayed with what they knew."""
RULE = SustainedError()

Error = Received[ErrorComputed]
Ends = Mapping[tuple[str, int], int]
Due = list[tuple[Because, ModelRetrainingTriggered]]


def retraining_due(loop: Loop, received: list[Error], ends: Ends, refused: Collection[Place] = ()) -> Due:
    """Ask for a retraining when a trained version errs clearly more than on its held-out sessions.

    Judged when a partition's first error of a new session arrives, on the sessions before it, which are whole
    then. Every partition judges its own symbols; a version is complained of once until it was calm again, by
    the partition that was first to, however many partitions and sessions agree. Errors at places `refused` do
    not count: they are open dead letters.

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
    firsts, history = _remembered(loop, judged, ends, refused)
    if not firsts:
        return []
    past = asked_and_trained(loop)
    found = [(_because(past, r), due) for r in firsts if (due := _judge(past, r, history))]
    ours = (pair for pair in found if _is_ours(loop, *pair))
    return list(islice(ours, 1))


def forget(loop: Loop) -> int:
    """Forget the errors of sessions that nobody looks back at any more; returns how many.

    Raises:
        TryAgainError: the database is away.
    """
    return state.prune_window(loop.database, FLOW, KEPT)


def _remembered(
    loop: Loop, judged: list[Error], ends: Ends, refused: Collection[Place]
) -> tuple[list[Error], list[state.WindowInput]]:
    """Remember errors; returns the first of each session, and where there are any what is known before them.

    The window of many sessions is read once a session.
    """

    def kept(since: date) -> list[state.WindowInput]:
        return [row for row in state.window(connection, FLOW, since, ends) if row[:3] not in refused]

    with transaction(loop.database) as connection:
        state.append_window(connection, FLOW, [_row(r) for r in judged])
        firsts = _firsts(judged, kept(min(r.payload.date for r in judged)))
        history = kept(min(r.payload.date for r in firsts) - LOOK_BACK) if firsts else []
    reach("state-written", FLOW)
    return firsts, history


def _firsts(judged: list[Error], rows: list[state.WindowInput]) -> list[Error]:
    """Keep the first error of each session and version, of all that its partition was ever told."""
    places: dict[tuple[Any, ...], Place] = {}
    for row in rows:
        key, place = (row.topic, row.partition, row.date, row.values["version"]), Place(*row[:3])
        places[key] = min(place, places.get(key, place))
    firsts = set(places.values())
    return [r for r in judged if r.place in firsts]


def _is_ours(loop: Loop, cause: Because, due: ModelRetrainingTriggered) -> bool:
    """Tell whether this complaint was not made before, and no other partition is about to make it.

    Looking at the topic alone would let two partitions that judge at once publish the same event. A slice
    that is rehearsed claims nothing.
    """
    event_id = derive_id(FLOW, cause.id, due.reason)
    ours = state.claim(loop.database, event_id, cause.place, rehearsed=loop.rehearses("training"))
    return ours and not loop.training.has(event_id)


def _row(received: Error) -> state.WindowInput:
    error = received.payload
    values = {
        "version": error.model_version,
        "pct_error": abs(error.pct_error or 0.0),
        "baseline_pct": _percent(error.baseline_error, error.actual),
        "as_of": str(error.as_of),
        "revision": error.revision,
        "retracted": error.retracted,
    }
    return state.WindowInput(*received.place, received.id, error.symbol, error.date, values)


def _percent(error: float | None, actual: float) -> float | None:
    return None if error is None or not actual else 100 * error / actual


def _because(past: Past, received: Error) -> Because:
    """Name the cause alike on every partition: the version, and which complaint about it this is.

    A training begins a new name: a partition that claimed the old one, and then could not publish it, holds
    nobody up for longer than that.
    """
    version = str(received.payload.model_version)
    before = past.times(SUSTAINED_ERROR, version)
    name = f"sustained error of {version}, trained to {past.trained_to}, after {before} others"
    return Because(name, received.correlation_id, received.place)


def _judge(past: Past, cause: Error, history: list[state.WindowInput]) -> ModelRetrainingTriggered | None:
    """Judge a version on its term's sessions before the one that just began."""
    day, version = cause.payload.date, str(cause.payload.model_version)
    earlier = [row for row in standing(history) if row.date < day]
    days = sorted({row.date for row in earlier})
    record, asked = _record(past, version), past.newest(SUSTAINED_ERROR, version)
    if not days or record is None or not may_complain(past, SUSTAINED_ERROR, days, days[-1]):
        return None
    begin = past.term_of(version)
    levels = [one for one in _levels(earlier, version) if one.day > max(begin, asked)]
    excess = RULE.verdict(levels, record)
    told = asked > begin and remembered(days, asked)
    if excess is None or (told and not RULE.is_calm(levels, record)):
        return None
    return ModelRetrainingTriggered(
        reason=SUSTAINED_ERROR,
        data_end_date=days[-1],
        detail=excess.why,
        statistic=round(excess.level, 4),
        threshold=round(excess.threshold, 4),
        model_version=version,
    )


def _levels(rows: Iterable[state.WindowInput], version: str) -> list[Level]:
    """Take the means of a version's errors by session, oldest first.

    As in its training record, what is no move but a corporate action does not count.
    """
    sessions: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.values["version"] == version and _is_a_move(row.values.get("baseline_pct")):
            sessions[row.date].append(row.values)
    return [_level(day, sessions[day]) for day in sorted(sessions)]


def _level(day: date, rows: Sequence[Mapping[str, Any]]) -> Level:
    baselines = [abs(known) for row in rows if (known := row.get("baseline_pct")) is not None]
    baseline = fmean(baselines) if len(baselines) == len(rows) else None  # rows of older versions have none
    return Level(day, fmean(row["pct_error"] for row in rows), baseline)


def _is_a_move(baseline_pct: float | None) -> bool:
    """Tell whether persistence's error is one that a session's price limits allow; unknown ones count."""
    last = 1 + (baseline_pct or 0.0) / 100  # the close before, as a share of the actual one
    return last > 0 and abs(1 / last - 1) <= BAND


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


def _record(past: Past, version: str) -> Record | None:
    """Look up the mean absolute percentage errors of held-out sessions, the version's and persistence's."""
    trained = past.record_of(version)
    error = trained.performance.get("mape") if trained else None
    if trained is None or not error:
        return None
    return Record(error, (trained.baseline_performance or {}).get("mape"))
