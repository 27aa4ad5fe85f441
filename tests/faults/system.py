"""The real stack under test: feed it, hurt it, wait until it has settled, judge it."""

import json
import random
import signal
import sys
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from events.topics import TOPICS
from infra.bootstrap import Loop
from infra.errors import LoopError, TryAgainError
from infra.kafka.clients import plain_producer
from infra.kafka.lag import unsettled
from infra.kafka.source import Source
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.wiring import routes
from tasks.announcements import PRODUCER
from tasks.ingestion import ingest_batch
from tasks.reading import Session
from tests.faults import checker, journal, recompute
from tests.faults.checker import Duty, Finding
from tests.faults.evidence import Evidence
from tests.faults.hostile import Sent
from tests.faults.parts import REACH_SECONDS, RECOVERY_SECONDS, SETTLE_SECONDS, Parts, ended, until
from tests.faults.picture import picture
from tests.faults.sessions import Collected, Market

NEPSE = str(Path(sys.executable).with_name("nepse"))
END_MS = 5_000
ISOLATIONS = ("read_committed", "read_uncommitted")
FEED_SECONDS = 90.0


@dataclass
class System(Parts):
    """A running stack, the folder in which its faults are armed, and the sessions still to be fed."""

    settings: Settings
    armed: Path
    market: Market
    waiting: list[Session] = field(default_factory=list)
    acknowledged: list[Session] = field(default_factory=list)
    """What was ingested, as the ingestion told it."""
    planted: set[journal.Place] = field(default_factory=set)
    """Where the test itself wrote."""
    known: set[Finding] = field(default_factory=set)
    readers: dict[str, KafkaConsumer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connect nothing yet."""
        self.loop, self.waiting = Loop(self.settings), self.market.sessions()
        self.evidence = Evidence(self.settings.home / "logs")
        self.fetch = recompute.s3_reader(
            self.settings.s3_url, self.settings.s3_access_key, self.settings.s3_secret_key.get_secret_value()
        )

    def feed(self, sessions: int = 1) -> None:
        """Ingest the next sessions as the flow does, again until they are acknowledged."""
        chosen = self._next(sessions)
        failures: list[LoopError] = []
        until(lambda: self._ingested(chosen, failures), FEED_SECONDS, "ingesting", failures)
        self.acknowledged += chosen

    def feed_file(self, folder: Path, *, killed_at: str) -> None:
        """Ingest the next session by the command line, which is killed at a point, and then once more."""
        (session,) = self._next(1)
        file = folder / f"{session.day}.parquet"
        file.write_bytes(self.market.file(session.day, session.day))
        command = [NEPSE, "ingest", "--home", str(self.settings.home.resolve()), str(file)]
        self.arm(f"{killed_at}.source.ingest", "kill")
        assert ended(command) == -signal.SIGKILL
        assert ended(command) == 0
        self.victim(f"{killed_at}.source.ingest")
        self.acknowledged.append(session)

    def feed_shuffled(self, sessions: int, seed: int) -> None:
        """Announce the next sessions twice and in any order, the first time that anybody hears of them."""
        chosen, collected = self._next(sessions), Collected()
        ingest_batch.fn(self.loop, collected, chosen)
        records = collected.records * 2
        random.Random(seed).shuffle(records)
        self._produce((r.topic, r.value, r.key, list(r.headers), None) for r in records)
        self.acknowledged += chosen

    def ask_for_training(self) -> None:
        """Ask for a model on all that was ingested."""
        asked = {"reason": "a test", "data_end_date": str(self.acknowledged[-1].day)}
        self._tell("training", "ModelRetrainingTriggered", asked)

    def promote(self, version: str) -> None:
        """Put a version into office, however good it is: what it predicts can be computed once more."""
        self._tell("models", "ModelPromoted", {"model_version": version, "reason": "a test"})

    def _tell(self, topic: str, kind: str, payload: dict[str, Any]) -> None:
        name = uuid.uuid4().hex
        event = {"event_type": kind, "timestamp": time.time(), "producer": "test", "payload": payload}
        value = json.dumps(event | {"metadata": {"event_id": name}}).encode()
        self._produce([(topic, value, self.settings.model_name.encode(), [], None)])

    def _next(self, sessions: int) -> list[Session]:
        chosen, self.waiting = self.waiting[:sessions], self.waiting[sessions:]
        assert chosen, "no session is left to feed"
        return chosen

    def _ingested(self, chosen: list[Session], failures: list[LoopError]) -> bool:
        source = Source(self.loop.pool, PRODUCER)
        try:
            source.open()
            ingest_batch.fn(self.loop, source, chosen)
        except LoopError as error:
            failures.append(error)
            return False
        finally:
            source.close()
        return True

    def deliver_again(self, topics: tuple[str, ...], seed: int) -> None:
        """Send every committed record of these topics once more, shuffled."""
        told = journal.read(self.settings.bootstrap, topics)
        records = [record for found in told.committed.values() for record in found]
        random.Random(seed).shuffle(records)
        self._produce((r.place.topic, r.value, r.key, [], r.place.partition) for r in records)

    def send(self, hostile: list[Sent]) -> list[tuple[Sent, journal.Place]]:
        """Send hostile records as they are, and tell where each lies."""
        places = self._produce((one.topic, one.value, one.key, list(one.headers), None) for one in hostile)
        return list(zip(hostile, places, strict=True))

    def _produce(self, records: Iterable[tuple[Any, ...]]) -> list[journal.Place]:
        producer = plain_producer(self.settings)
        try:
            sent = [producer.send(*record) for record in records]
            producer.flush(timeout=60)
            places = [future.get(timeout=1) for future in sent]
        finally:
            producer.close()
        written = [journal.Place(place.topic, place.partition, place.offset) for place in places]
        self.planted.update(written)
        return written

    def settle(self, seconds: float = SETTLE_SECONDS) -> float:
        """Wait until every group has committed to the end of its topics; returns the seconds it took.

        Where that is longer than a recovery may take, the output tells what every part has logged meanwhile.
        """
        began, taken = time.monotonic(), seconds
        try:
            until(self._settled, seconds, "settling")
            taken = time.monotonic() - began
        finally:
            if taken > RECOVERY_SECONDS:
                sys.stdout.write(self.evidence.text())
            self.evidence.mark()
        return taken

    def _settled(self) -> bool:
        """Tell whether nothing is to be done, and nothing is on its way: a commit's markers come after it."""
        try:
            return self._idle() and self._stable() and self._idle()
        except (TryAgainError, KafkaError):
            for isolation in ISOLATIONS:
                self.readers.pop(isolation, None)
            return False

    def _idle(self) -> bool:
        return unsettled(self.settings, self.readers) == 0

    def _stable(self) -> bool:
        """Tell whether every transaction has ended in every partition."""
        ends = []
        for isolation in ISOLATIONS:
            if isolation not in self.readers:
                self.readers[isolation] = KafkaConsumer(
                    bootstrap_servers=self.settings.bootstrap,
                    enable_auto_commit=False,
                    isolation_level=isolation,
                )
            ends.append(self.readers[isolation].end_offsets(self._spots(), timeout_ms=END_MS))
        return ends[0] == ends[1]

    def _spots(self) -> list[TopicPartition]:
        return [TopicPartition(t, p) for t in TOPICS for p in range(partitions(self.settings, t))]

    def arm(self, name: str, action: str) -> None:
        """Arm a fault point."""
        draft = self.armed / f".{name}"
        draft.write_text(action)
        draft.rename(self.armed / name)

    def victim(self, name: str) -> psutil.Process | None:
        """Wait until somebody has reached an armed point; None when the process has gone already."""
        found: list[Path] = []

        def reached() -> bool:
            found.extend(self.armed.glob(f"{name}.*.taken"))
            return bool(found)

        until(reached, REACH_SECONDS, f"reaching {name}")
        pid = int(found[0].name.split(".")[-2])
        found[0].unlink()
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(pid)
        return None

    def superseded(self, flow: str) -> int:
        """Count the runs of a flow that gave way to a newer process."""
        asked = {
            "flows": {"name": {"any_": [flow]}},
            "flow_runs": {"state": {"name": {"any_": ["Superseded"]}}},
        }
        answer = requests.post(f"{self.settings.prefect_ui}/api/flow_runs/count", json=asked, timeout=20)
        answer.raise_for_status()
        return int(answer.json())

    def findings(self, *, values: bool = False) -> list[Finding]:
        """Judge everything that lies on the topics, its `values` as well; each finding is told once."""
        told, progress = picture(self.settings.bootstrap, {one.flow: one.topics for one in routes()})
        found = {*checker.check(told, self._duties(), frozenset(self.planted))}
        closes = [(str(one.day), _closes(one)) for one in self.acknowledged]
        found.update(recompute.acknowledged(told, closes), recompute.answers(told))
        found.update(recompute.errors(told), recompute.expiries(told, self.settings.expire_after_sessions))
        found.update(recompute.predictions(told, self.fetch))
        if values:
            found.update(recompute.objects(told, self.fetch), recompute.features(told, self.fetch))
            found.update(recompute.registered(told, self.settings.mlflow_ui, self.settings.model_name))
        for flow, offsets in progress.items():
            for spot, at in offsets.items():
                found.update(checker.tiling(told, flow, spot, 0, at))
        fresh, self.known = sorted(found - self.known), self.known | found
        return fresh

    def _duties(self) -> list[Duty]:
        def symbols(record: journal.Record) -> list[str]:
            return recompute.session(self.fetch, record.payload["data_location"])["symbol"].tolist()

        return [
            Duty("compute-features", "raw-data", "DataIngested", "features", symbols),
            Duty("predict", "features", "FeaturesComputed", "predictions", checker.symbol_of),
        ]


def _closes(session: Session) -> dict[str, float]:
    rows = session.content.rows
    return dict(zip(rows["symbol"], rows["close"], strict=True))
