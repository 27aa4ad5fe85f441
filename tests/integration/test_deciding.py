"""Who serves, decided by runs on a real broker."""

from events.payloads import ModelPromoted
from infra.bootstrap import Loop
from infra.kafka.records import of_kind
from infra.settings import Settings
from tasks.promoting import decide


def test_a_run_decides_once_however_often_it_is_started(own_servers: Settings) -> None:
    """Started again from Prefect's page it finds its own decision; another run decides anew."""
    loop = Loop(own_servers)
    asked = [("run-1", "the first"), ("run-1", "changed"), ("run-2", "the second")]
    told = [decide(loop, "v0", reason, asked_by=run) for run, reason in asked]
    entries = of_kind(loop.models.between(0, loop.models.refresh()), ModelPromoted)
    loop.close()
    assert [one.published for one in told] == [True, False, True]
    assert told[1].message == "this run has decided before: v0 serves, as it did: the first"
    said = [(one.payload.model_version, one.payload.reason, one.payload.models_seen) for one in entries]
    assert said == [("v0", "the first", None), ("v0", "the second", None)]
    assert len({one.id for one in entries}) == len(entries)
