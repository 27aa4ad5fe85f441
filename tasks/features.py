"""Sessions become feature vectors: the window each may look at, computed together where that is the same."""

from datetime import date

from prefect import task

from events.payloads import DataIngested, FeaturesComputed
from infra.bootstrap import Loop
from infra.errors import RejectError
from infra.kafka.records import Received
from tasks.core.grid import WINDOW
from tasks.core.layout import NotAPriceFileError
from tasks.core.sessions import Held
from tasks.sessions import Sessions, sessions
from tasks.vectors import panel_of, rows_of, vectors_of

Cause = Received[DataIngested]


class Vectors:
    """Feature vectors by the offset that caused them, and why others have none.

    A class of its own so that Prefect does not walk through thousands.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.computed: list[tuple[Cause, list[FeaturesComputed]]] = []
        self.refused: list[tuple[Cause, RejectError]] = []


@task
def compute_vectors(loop: Loop, causes: list[Cause]) -> Vectors:
    """Compute the features of each ingested session from the sessions known at its offset.

    An object that is missing or no session makes its own record unusable, not the others.

    Raises:
        TryAgainError: the store or the broker is away.
    """
    known = sessions(loop)
    index = known.refresh()
    vectors = Vectors()
    windows: dict[Cause, list[Held]] = {}
    for cause in causes:
        window = index.window(cause.place.offset, cause.payload.date, WINDOW)
        if problem := _unusable(known, cause, window):
            vectors.refused.append((cause, problem))
        else:
            windows[cause] = window
    for group in _groups(windows):
        vectors.computed += _compute_group(loop, group, windows)
    return vectors


def _unusable(known: Sessions, cause: Cause, window: list[Held]) -> RejectError | None:
    """Try to read a session's own object; its older neighbours were read when they arrived."""
    own = [held for held in window if held.location == cause.payload.data_location]
    try:
        known.frames(own)
    except RejectError as error:
        return error
    except NotAPriceFileError as error:
        return RejectError(str(error))
    return None if own else RejectError(f"session {cause.payload.date} was superseded or retracted")


def _groups(windows: dict[Cause, list[Held]]) -> list[list[Cause]]:
    """Put together what one panel serves: every window is the tail of the panel as of its own session."""
    groups: list[list[Cause]] = []
    panel: dict[date, Held] = {}
    for cause, window in windows.items():
        told = {held.day: held for held in window}
        if groups and _serves(panel | told, cause, window) and _leaves_alone(groups[-1], told, panel):
            groups[-1].append(cause)
            panel |= told
        else:
            groups.append([cause])
            panel = told
    return groups


def _serves(panel: dict[date, Held], cause: Cause, window: list[Held]) -> bool:
    days = sorted(day for day in panel if day <= cause.payload.date)[-WINDOW:]
    return [panel[day] for day in days] == window


def _leaves_alone(group: list[Cause], told: dict[date, Held], panel: dict[date, Held]) -> bool:
    """Tell whether what a window adds to the panel is behind every session of the group.

    A session that was announced after a later one is not in that one's window.
    """
    newest = max(cause.payload.date for cause in group)
    return all(day > newest if day not in panel else panel[day] == held for day, held in told.items())


def _compute_group(
    loop: Loop, group: list[Cause], windows: dict[Cause, list[Held]]
) -> list[tuple[Cause, list[FeaturesComputed]]]:
    panel = panel_of(loop, (windows[cause] for cause in group))
    places = [(cause.payload.date, cause.place.offset) for cause in group]
    rows = rows_of(panel, [day for day, _ in places])
    return [
        (cause, vectors_of(sessions(loop), rows, *place)) for cause, place in zip(group, places, strict=True)
    ]
