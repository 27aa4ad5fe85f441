"""What a test does to a stack that trains by itself, and what it sees: requests, trainings, versions."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from events.envelope import Event
from events.payloads import (
    DataIngested,
    ModelPromoted,
    ModelRetrainingTriggered,
    ModelTrained,
    PredictionMade,
)
from infra.kafka import clients, scanning
from infra.settings import Settings
from infra.stack import probes, state
from tasks.core.offices import key_of, without_repeats
from tests.conftest import nepse
from tests.copies import eventually
from tests.shifted_market import Feed
from tests.stacks import events_of, settle

WITHIN = 150


@dataclass
class Story:
    """The stack, the sessions still to come, and the processes that it began with."""

    settings: Settings
    feed: Feed
    pids: dict[str, int | None] = field(default_factory=dict)
    known: int = 0
    """Trainings that the story has told of."""

    def command(self, *words: str) -> dict[str, Any]:
        """Run the command line; returns what it prints."""
        done = nepse(*words, "--home", str(self.settings.home), "--json", within=WITHIN)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def come(self, sessions: int) -> date:
        """Let sessions come, and the loop be done with them; returns the newest."""
        file = self.feed.next(sessions)
        done = nepse("ingest", "--home", str(self.settings.home), str(file), within=WITHIN)
        assert done.returncode == 0, done.stderr
        settle(self.settings)
        return self.sessions()[-1]

    def sessions(self) -> list[date]:
        """List what was announced, oldest first."""
        return sorted(event.payload.date for event in self.said("raw-data", DataIngested))

    def since(self, day: date) -> int:
        """Count the sessions after a day."""
        return sum(one > day for one in self.sessions())

    def said(self, topic: str, kind: type[Any]) -> list[Event[Any]]:
        """List events of a kind."""
        return [event for event in events_of(self.settings, topic) if isinstance(event.payload, kind)]

    def asked(self) -> Counter[str]:
        """Count the requests for retrainings by their reasons."""
        return Counter(event.payload.reason for event in self.said("training", ModelRetrainingTriggered))

    def trained(self) -> list[ModelTrained]:
        """List trainings, oldest first; what is said of one once more, for a later request, is none."""
        said = [event.payload for event in self.said("models", ModelTrained)]
        return list(without_repeats(said, lambda one: one))

    def await_training(self, reason: str) -> ModelTrained:
        """Wait for the next training that answers this reason, and for whatever follows."""
        eventually(lambda: reason in self.asked(), f"a request: {reason}", WITHIN)
        eventually(lambda: bool(self._answers(reason)), f"a training: {reason}", WITHIN)
        settle(self.settings)
        (answer,) = self._answers(reason)
        self.known = len(self.trained())
        return answer

    def _answers(self, reason: str) -> list[ModelTrained]:
        """List the new trainings of which anything that was said names a reason."""
        said = [event.payload for event in self.said("models", ModelTrained)]
        named = {key_of(one) for one in said if reason in one.reasons}
        return [one for one in self.trained()[self.known :] if key_of(one) in named]

    def running(self) -> dict[str, int | None]:
        """Tell the stack's processes."""
        known = state.running(self.settings.home)
        assert known is not None
        return {name: part.pid for name, part in known.parts.items()}

    def predicted_from(self, day: date) -> set[str]:
        """Name the versions that predicted from a session's vectors."""
        made = [event.payload for event in self.said("predictions", PredictionMade)]
        return {one.model_version for one in made if one.as_of == day}

    def request(self, reason: str) -> ModelRetrainingTriggered:
        """Give the newest request for a reason."""
        asked = (event.payload for event in self.said("training", ModelRetrainingTriggered))
        return [one for one in asked if one.reason == reason][-1]

    def serving(self) -> str:
        """Name the version that was promoted last."""
        promoted = self.said("models", ModelPromoted)
        return str(promoted[-1].payload.model_version)

    def let_friday_come(self) -> str:
        """Move the next run that Prefect planned of the weekly schedule to now; returns what it says."""
        api = f"{self.settings.prefect_ui}/api"
        deployment = probes.get_json(f"{api}/deployments/name/schedule-retraining/schedule-retraining")
        wanted = {"deployments": {"id": {"any_": [deployment["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}

        def planned() -> list[dict[str, Any]]:
            found = probes.get_json(f"{api}/flow_runs/filter", wanted)
            return [run for run in found if run["auto_scheduled"] and run["state_type"] == "SCHEDULED"]

        eventually(lambda: bool(planned()), "a run is planned", WITHIN)
        run = f"{api}/flow_runs/{planned()[0]['id']}"
        due = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
        probes.get_json(f"{run}/set_state", {"state": due, "force": True})
        eventually(lambda: probes.get_json(run)["state_type"] == "COMPLETED", "Friday's run", WITHIN)
        return str(probes.get_json(run)["state"]["message"])

    def deliver_again(self) -> None:
        """Send the records of `training` once more, byte for byte."""
        with scanning.reader(self.settings) as looking:
            spots = scanning.spots_of(self.settings, ["training"])
            ends, _ = scanning.settled_ends(self.settings, looking, spots)
            records = [
                r
                for s in spots
                for batch in scanning.scan(looking, s, 0, ends[s.topic, s.partition])
                for r in batch
            ]
        producer = clients.plain_producer(self.settings)
        sent = [producer.send("training", value=r.value, key=r.key) for r in records]
        assert [one.get(timeout=30).topic for one in sent] == ["training"] * len(records)
        producer.close(timeout=30)
