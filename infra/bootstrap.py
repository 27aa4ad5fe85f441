"""The composition root: every adapter of one process, made when first used."""

import threading
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Engine

from infra.feature_table import FeatureTable
from infra.kafka.log import TopicLog
from infra.kafka.pool import Pool
from infra.registry import Registry
from infra.settings import Settings, load_settings
from infra.store import Store

T = TypeVar("T")


class Loop:
    """The outside world as flows see it; tests hand in other settings, never patches."""

    def __init__(self, settings: Settings) -> None:
        """Nothing connects before it is used."""
        self.settings = settings
        self._kept: dict[str, object] = {}
        self._lock = threading.Lock()

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """Keep what a flow wants to find warm next time: made once for this process."""
        with self._lock:
            return cast("T", self._kept.setdefault(name, self._kept.get(name) or make()))

    @cached_property
    def pool(self) -> Pool:
        """Warm Kafka clients."""
        return Pool(self.settings)

    @cached_property
    def store(self) -> Store:
        """Objects on S3."""
        return Store(self.settings)

    @cached_property
    def registry(self) -> Registry:
        """Models in MLflow."""
        return Registry(self.settings)

    @cached_property
    def feature_table(self) -> FeatureTable:
        """The offline feature store."""
        return FeatureTable(self.settings)

    @cached_property
    def database(self) -> Engine:
        """The flows' private state and the read side."""
        from infra.database.connection import engine  # noqa: PLC0415  (flows without a database skip the driver)

        return engine(self.settings)

    @cached_property
    def raw_data(self) -> TopicLog:
        """The index of sessions: the raw-data topic itself."""
        return TopicLog(self.settings, "raw-data")

    @cached_property
    def training(self) -> TopicLog:
        """Who asked for which retraining: the training topic itself."""
        return TopicLog(self.settings, "training")

    @cached_property
    def models(self) -> TopicLog:
        """Which version serves: the models topic itself."""
        return TopicLog(self.settings, "models")


@lru_cache(maxsize=4)
def _connect(home: Path) -> Loop:
    return Loop(load_settings(home))


def connect(settings: Settings | None = None) -> Loop:
    """Give this process's adapters; the same ones each time, so that they stay warm."""
    return Loop(settings) if settings else _connect(load_settings().home)
