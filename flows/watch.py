"""Looks at lag, errors, letters, servers and sessions on a clock, and sees to it that people are told."""

import logging
import threading
from datetime import UTC, datetime

from prefect import flow

from infra.bootstrap import Loop, connect
from infra.errors import TryAgainError
from infra.running import stopping, wait
from tasks.notifying import deliver
from tasks.watcher import Looked, Watcher

LOOK_SECONDS, TELL_SECONDS = 5.0, 1.0
_log = logging.getLogger(__name__)


@flow(name="watch", log_prints=False)
def watch(once: bool = False) -> str:
    """Look at every rule that is not about single events, every five seconds until the process stops.

    Args:
        once: look once, publish and tell what that finds, and end.
    """
    loop = connect()
    watcher = Watcher(loop)
    try:
        if once:
            return told(watcher.look(datetime.now(UTC)))
        teller = threading.Thread(target=keep_telling, args=(loop,), name="telling", daemon=True)
        teller.start()
        while not stopping():
            watcher.look(datetime.now(UTC))
            wait(LOOK_SECONDS)
        teller.join(LOOK_SECONDS)
    finally:
        watcher.close()
    return "stopped"


def keep_telling(loop: Loop) -> None:
    """Deliver what is due, again and again: what was postponed, and what waited for its minute."""
    while not wait(TELL_SECONDS):
        try:
            deliver(loop)
        except TryAgainError as error:
            _log.warning("nobody can be told now: %s", error)


def told(looked: Looked) -> str:
    """Say what a look came to."""
    standing = ", ".join(f"{key.rule} {dict(key.labels) or ''}".strip() for key in looked.standing)
    return f"{len(looked.changes)} changes; standing: {standing or 'nothing'}"
