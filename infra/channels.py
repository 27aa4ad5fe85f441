"""The channels by which people are told: the stack's own log, and whatever Apprise URLs the settings name."""

import json
import logging
import re
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from infra.errors import StopError, TryAgainError
from infra.settings import Settings

TITLE = "NEPSE loop"
LOG = "log"
"""The channel that is always there, and the last of every route: `logs/notifications.jsonl`."""
NAME = re.compile("[a-z][a-z0-9_]{0,63}")
"""Names that a rule file can hold, and that a route of several can be split into."""
LOG_BYTES = 10_000_000
"""A log that is larger makes way for a new one; one older is kept."""


_LOGGING = threading.Lock()


class Channels:
    """Named channels; each by itself, so that one that is away holds up no other."""

    def __init__(self, settings: Settings) -> None:
        """Remember them; they are opened at the first message."""
        self._settings = settings
        urls = {f"url_{number}": url for number, url in enumerate(settings.notify_urls, 1)}
        self._urls = {**settings.notify_channels, **urls}

    @property
    def names(self) -> tuple[str, ...]:
        """All channels, in the order in which they are tried."""
        return (*(name for name in self._urls if name != LOG), LOG)

    def route(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Keep those of the wanted channels that there are, all if none is; the log comes last."""
        asked = [name for name in wanted if name in self.names]
        return (*(name for name in asked if name != LOG), LOG) if asked else self.names

    def send(self, name: str, message_id: str, text: str) -> None:
        """Deliver one message; waits for some seconds at most.

        Raises:
            TryAgainError: the channel did not take it.
        """
        if name == LOG:
            self._write(message_id, text)
        elif not self._tell(self._opened[name], f"{text}\n\nid: {message_id}"):
            message = f"the channel {name} did not take the message {message_id}"
            raise TryAgainError(message)

    @staticmethod
    def _tell(channel: Any, body: str) -> bool:
        """Hand a text over as text: no service is to read markup in what foreign clients wrote."""
        from apprise import NotifyFormat  # noqa: PLC0415

        return bool(channel.notify(title=TITLE, body=body, body_format=NotifyFormat.TEXT))

    def check(self) -> None:
        """Open every channel.

        Raises:
            StopError: a channel has no name that a rule could give, or a URL is none that Apprise knows; the
                message does not show it, it may hold a password.
        """
        for name in self._urls:
            if name == LOG or not NAME.fullmatch(name):
                message = (
                    f"a notification channel can't be called {name!r}: small letters, digits and underscores,"
                    f" and {LOG} is the stack's own"
                )
                raise StopError(message)
        _ = self._opened

    @cached_property
    def _opened(self) -> dict[str, Any]:
        return {name: self._open(name, url.get_secret_value()) for name, url in self._urls.items()}

    def _open(self, name: str, url: str) -> Any:
        import apprise  # noqa: PLC0415  (half a second, and only needed with channels)

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs URLs with their passwords
        # what is longer than a service takes becomes several messages
        asset = apprise.AppriseAsset()
        channel = apprise.Apprise(asset=asset)
        opened = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if not opened or not channel.add(opened):
            message = f"the URL of the notification channel {name} is none that Apprise knows"
            raise StopError(message)
        opened.overflow_mode = apprise.OverflowMode.SPLIT
        return channel

    def _write(self, message_id: str, text: str) -> None:
        log = self._settings.home / "logs" / "notifications.jsonl"
        line = {"time": datetime.now(UTC).isoformat(), "id": message_id, "text": text}
        try:
            with _LOGGING:
                log.parent.mkdir(parents=True, exist_ok=True)
                if log.exists() and log.stat().st_size > LOG_BYTES:
                    log.replace(log.with_suffix(".1.jsonl"))
                with log.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(line) + "\n")
        except OSError as error:
            message = f"the log of notifications can't be written: {error}"
            raise TryAgainError(message) from error
