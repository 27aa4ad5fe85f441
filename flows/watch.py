"""Looks at lag, errors, letters, servers and sessions on a clock, and sees to it that people are told."""

import logging
import threading
import time
from datetime import UTC, datetime

from prefect import flow

from infra.bootstrap import Loop, connect
from infra.database import outbox
from infra.running import stopping, wait
from tasks.telling import deliver
from tasks.watcher import Looked, Watcher

LOOK_SECONDS, TELL_SECONDS, TELLING_SECONDS, TIDY_SECONDS = 5.0, 0.5, 20.0, 3_600.0
SHORTEST_REST = 0.5
"""Seconds between looks that take longer than the beat."""
log = logging.getLogger(__name__)


@flow(name="watch", log_prints=False)
def watch(once: bool = False) -> str:
    """Look at every rule that is not about single events, every five seconds until the process stops.

    Args:
        once: look once, publish and tell what that finds, and end.
    """
    loop = connect().impatient()  # of a database that hangs, too, people are told
    watcher, ended = Watcher(loop), threading.Event()
    teller = threading.Thread(target=keep_telling, args=(loop, ended), name="telling", daemon=True)
    try:
        if once:
            return told(watcher.look(datetime.now(UTC)))
        teller.start()
        while not stopping():
            due = time.monotonic() + LOOK_SECONDS
            watcher.look(datetime.now(UTC))
            wait(max(SHORTEST_REST, due - time.monotonic()))
    finally:
        ended.set()
        if teller.is_alive():
            teller.join(TELLING_SECONDS)
        watcher.close()
    return "stopped"


def keep_telling(loop: Loop, ended: threading.Event) -> None:
    """Deliver what is due, again and again: what was postponed, and what waited for its minute."""
    tidied = 0.0
    while not (ended.wait(TELL_SECONDS) or stopping()):
        try:
            deliver(loop)
            if time.monotonic() - tidied > TIDY_SECONDS:
                outbox.forget(loop.database, datetime.now(UTC))
                tidied = time.monotonic()
        except Exception:  # whatever it was: a thread that ended here would leave people untold, silently
            log.exception("nobody can be told now")
            ended.wait(LOOK_SECONDS)


def told(looked: Looked) -> str:
    """Say what a look came to."""
    standing = ", ".join(f"{key.rule} {dict(key.labels) or ''}".strip() for key in looked.standing)
    return f"{len(looked.changes)} changes; standing: {standing or 'nothing'}"
