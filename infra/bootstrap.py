"""The composition root: every adapter of one process, made when first used."""

import threading
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Engine

from events.payloads import OffsetRange
from infra.feature_table import FeatureTable
from infra.kafka.log import Log, PinnedLog, TopicLog
from infra.kafka.pool import Pool
from infra.logs import keep_secrets
from infra.registry import Registry
from infra.settings import Settings, load_settings
from infra.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pins:
    """Where the topics that are looked up stand still: at given ends, or where they are first looked at."""

    ends: Mapping[str, int] | None
    logs: dict[str, PinnedLog] = field(default_factory=dict)

    def hold(self, topic: str, log: TopicLog) -> PinnedLog:
        """Give the topic's log as it stands."""
        end = None if self.ends is None else self.ends.get(topic, 0)
        return self.logs.setdefault(topic, PinnedLog(log, end))


class Loop:
    """The outside world as flows see it; tests hand in other settings, never patches."""

    def __init__(self, settings: Settings) -> None:
        """Nothing connects before it is used."""
        self.settings = settings
        self.live = self
        """The world as it is now, also for those who see an older one."""
        self._kept: dict[str, object] = {}
        self._lock = threading.RLock()
        self._pins: Pins | None = None
        self._waits = True

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Keep what a flow wants to find warm next time: made once for this process."""
        with self._lock:
            if name not in self._kept:
                self._kept[name] = make()
            return cast("T", self._kept[name])

    def as_of(self, ends: Mapping[str, int] | None = None) -> "Loop":
        """See the same world with the topics that are looked up held still.

        Args:
            ends: where each topic stands (offset, exclusive), those that are not named at its beginning;
                without `ends` each topic stands where it is when it is first looked at.
        """
        view = copy(self)
        view._pins = Pins(ends)  # noqa: SLF001  (a copy of our own)
        return view

    def impatient(self) -> "Loop":
        """See the same world with a database that counts as away where it says nothing for some seconds."""
        view = copy(self)
        view._waits = False  # noqa: SLF001  (a copy of our own)
        return view

    def rehearses(self, topic: str) -> bool:
        """Tell whether this view sees a topic as a slice saw it that looked at it once."""
        return self._pins is not None and topic in (self._pins.ends or {})

    @property
    def looked_up(self) -> list[OffsetRange]:
        """How far the topics that this view looked at had been read."""
        held = self._pins.logs.items() if self._pins else ()
        return [
            OffsetRange(topic=t, partition=0, start=0, end=log.end) for t, log in held if log.end is not None
        ]

    def close(self) -> None:
        """Close the Kafka clients that nobody has borrowed."""
        for kept in self._kept.values():
            if isinstance(kept, Pool | TopicLog):
                kept.close()

    def _log(self, topic: str) -> Log:
        log = self.keep(topic, lambda: TopicLog(self.settings, topic))
        return log if self._pins is None else self._pins.hold(topic, log)

    @property
    def pool(self) -> Pool:
        """Warm Kafka clients."""
        return self.keep("pool", lambda: Pool(self.settings))

    @property
    def store(self) -> Store:
        """Objects on S3."""
        return self.keep("store", lambda: Store(self.settings))

    @property
    def registry(self) -> Registry:
        """Models in MLflow."""
        return self.keep("registry", lambda: Registry(self.settings))

    @property
    def feature_table(self) -> FeatureTable:
        """The offline feature store."""
        return self.keep("feature-table", lambda: FeatureTable(self.settings))

    @property
    def database(self) -> Engine:
        """The flows' private state and the read side."""
        from infra.database import connection  # noqa: PLC0415  (flows without a database skip the driver)

        made = connection.engine if self._waits else connection.watching_engine
        return made(self.settings)

    @property
    def raw_data(self) -> Log:
        """The index of sessions: the raw-data topic itself."""
        return self._log("raw-data")

    @property
    def training(self) -> Log:
        """Who asked for which retraining: the training topic itself."""
        return self._log("training")

    @property
    def models(self) -> Log:
        """Which version serves: the models topic itself."""
        return self._log("models")

    @property
    def redrives(self) -> Log:
        """Which dead letters were tried again, and how it went: the redrives topic itself."""
        return self._log("redrives")


@lru_cache(maxsize=4)
def _connect(home: Path) -> Loop:
    settings = load_settings(home)
    keep_secrets(settings)  # here, because also runs that the worker starts come through here
    return Loop(settings)


def connect(settings: Settings | None = None) -> Loop:
    """Give this process's adapters; the same ones each time, so that they stay warm."""
    return Loop(settings) if settings else _connect(load_settings().home)
