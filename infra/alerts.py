"""Telling people: the notification log of the stack, and whatever Apprise URLs the settings name."""

import json
from datetime import UTC, datetime

from infra.errors import TryAgainError
from infra.settings import Settings

TITLE = "NEPSE loop"


def deliver(settings: Settings, stable_id: str, text: str) -> int:
    """Deliver one message to every channel; returns how many were reached.

    At least once: a retry sends the same `stable_id` again, by which a receiver recognises it.

    Raises:
        TryAgainError: a channel did not take the message.
    """
    _write_log(settings, stable_id, text)
    if not settings.notify_urls:
        return 1
    import apprise  # noqa: PLC0415  (half a second, and only needed with channels)

    channels = apprise.Apprise()
    for url in settings.notify_urls:
        channels.add(url.get_secret_value())
    if not channels.notify(title=TITLE, body=f"{text}\n\nid: {stable_id}"):
        message = f"a notification channel did not take {stable_id}; check NEPSE_NOTIFY_URLS"
        raise TryAgainError(message)
    return 1 + len(channels)


def _write_log(settings: Settings, stable_id: str, text: str) -> None:
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    line = {"time": datetime.now(UTC).isoformat(), "id": stable_id, "text": text}
    with (folder / "notifications.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
