"""On a running stack every process tells how it is, what stands still is seen, and logs hold no secret."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from datetime import date

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from events.payloads import PredictionExpired
from infra import metrics
from infra.bootstrap import Loop
from infra.kafka.records import Outgoing
from infra.kafka.source import Source
from infra.kafka.work import beginning, record_of
from infra.secrets import secrets_of
from infra.settings import Settings
from infra.stack import state
from infra.telemetry.ports import PORTS, address_of
from tests.conftest import running_stack
from tests.copies import eventually

pytestmark = pytest.mark.stack

PARTS = '["kafka","s3","postgres","prefect","deploy","forecasting","judging","telling","projectors","web"]'
WITHIN = 90
CHANNELS = json.dumps({"nobody": "json://someone:hush-hush@127.0.0.1:9/hook"})
EXPIRED = PredictionExpired(symbol="STILL", date=date(2024, 3, 4), predicted=1.0, sessions_waited=1)
SHOWN = ("flow_runs", "task_runs", "artifacts", "logs", "deployments")
SINGLE = {
    "telling": {
        "nepse_watch_look_timestamp_seconds",
        "nepse_watched_lag_offsets",
        "nepse_model_version_info",
    },
    "projectors": {"nepse_lag_offsets", "nepse_lag_seconds"},
    "judging": {"nepse_lag_offsets", "nepse_lag_seconds", "nepse_rebalances_total"},
    "forecasting": {"nepse_lag_offsets", "nepse_lag_seconds", "nepse_rebalances_total"},
    "web": {"nepse_http_request_duration_seconds_bucket"},
}
"""What a process shows beside what all of them show."""


@pytest.fixture(scope="module")
def system() -> Iterator[Settings]:
    """A stack with every process that has metrics."""
    with running_stack(NEPSE_PARTS=PARTS, NEPSE_NOTIFY_CHANNELS=CHANNELS) as settings:
        yield settings


def exposed(settings: Settings, process: str) -> str:
    """Ask a process for its metrics, as Prometheus does."""
    return httpx.get(address_of(settings, process), timeout=10).text


def scrape(settings: Settings, process: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Give the values of a process by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposed(settings, process))
        for sample in family.samples
    }


def value(settings: Settings, process: str, name: str, **labels: str) -> float:
    """Sum a metric of a process over the series that have these labels."""
    wanted = set(labels.items())
    return sum(
        found for (one, held), found in scrape(settings, process).items() if one == name and wanted <= held
    )


def publish(settings: Settings, *records: Outgoing) -> None:
    """Publish as a foreign client does."""
    loop = Loop(settings)
    source = Source(loop.pool, f"test-{uuid.uuid4().hex}")
    source.open()
    source.publish(records)
    source.close()
    loop.close()


def expired(settings: Settings) -> Outgoing:
    """Make an event that monitor has little to do with."""
    return record_of(
        "errors", "test", EXPIRED, beginning(EXPIRED, uuid.uuid4().hex, "chain"), settings.model_name
    )


@pytest.mark.parametrize("process", PORTS)
def test_every_process_tells_how_it_is(system: Settings, process: str) -> None:
    """At its port, with what is its own; nothing of a share, whatever it works on."""
    eventually(lambda: SINGLE[process] <= {name for name, _ in scrape(system, process)}, process, WITHIN)
    found = scrape(system, process)
    assert {"nepse_build_info", "process_resident_memory_bytes"} <= {name for name, _ in found}
    assert (process == "telling") == ("nepse_watch_look_timestamp_seconds" in {name for name, _ in found})
    assert not any(label in {"symbol", "run_id"} for _, labels in found for label, _ in labels)


def test_a_slice_and_a_dead_letter_are_counted(system: Settings) -> None:
    """Once they are committed."""
    publish(system, expired(system), Outgoing("errors", b"STILL", b"no event"))
    counted = ("judging", "nepse_dead_letters_total")
    eventually(lambda: value(system, *counted, flow="monitor") == 1, "the letter", WITHIN)
    eventually(
        lambda: value(system, "judging", "nepse_records_total", flow="monitor", direction="in") == 2,
        "both records",
        WITHIN,
    )
    assert value(system, "judging", "nepse_slice_duration_seconds_count", flow="monitor") >= 1
    assert value(system, "judging", "nepse_slice_delay_seconds_count", flow="monitor") >= 1
    assert value(system, "judging", "nepse_bytes_total", flow="monitor", direction="in") > len(b"no event")
    eventually(
        lambda: value(system, "projectors", "nepse_records_total", flow="project-read-side") > 0,
        "the projector's records",
        WITHIN,
    )


def test_the_names_are_those_of_the_code(system: Settings) -> None:
    """All together show every metric that rules and pictures ask for, but for what needs forecasts."""
    found = {name.removesuffix("_bucket") for process in PORTS for name, _ in scrape(system, process)}
    forecasts = {"nepse_prediction_error_ratio", "nepse_interval_coverage_ratio", "nepse_alerts_raised_total"}
    sessions = {"nepse_last_session_age_seconds"}
    assert {name for name, _ in metrics.names()} - forecasts - sessions <= found


def test_a_sensor_that_stands_still_is_seen_to_lag(system: Settings) -> None:
    """By another process: its lag grows in offsets and in seconds, and is gone when it goes on."""
    known = state.read_state(system.home)
    assert known
    judging = known.parts["judging"].pid
    assert judging is not None
    os.kill(judging, signal.SIGSTOP)
    try:
        publish(system, expired(system))
        eventually(lambda: _lag(system, "offsets") > 0, "the lag in offsets", WITHIN)
        first, waited = _lag(system, "offsets"), _lag(system, "seconds")
        publish(system, expired(system))
        eventually(lambda: _lag(system, "offsets") > first, "a growing lag", WITHIN)
        eventually(lambda: _lag(system, "seconds") > waited + 1, "a growing age", WITHIN)
    finally:
        os.kill(judging, signal.SIGCONT)
    eventually(lambda: _lag(system, "offsets") == 0, "no lag", WITHIN)
    assert _lag(system, "seconds") == 0
    eventually(lambda: value(system, "judging", "nepse_lag_offsets", flow="monitor") == 0, "its own", WITHIN)


def _lag(settings: Settings, unit: str) -> float:
    return value(settings, "telling", f"nepse_watched_lag_{unit}", flow="monitor", topic="errors")


def test_logs_are_lines_that_name_runs(system: Settings) -> None:
    """Of our processes each line is an object; those of a run say which."""
    told = [json.loads(line) for process in PORTS for line in _log(system, process).splitlines()]
    assert all({"time", "level", "process", "logger", "message"} <= set(one) for one in told)
    of_flows = [one for one in told if one["logger"] == "prefect.flow_runs"]
    assert of_flows
    assert all(one.get("run_id") for one in of_flows)


def _log(settings: Settings, process: str) -> str:
    return (settings.home / "logs" / f"{process}.log").read_text()


def _prefect(settings: Settings, what: str) -> str:
    """Give what Prefect's server tells everybody who asks."""
    answer = httpx.post(f"{settings.prefect_ui}/api/{what}/filter", json={"limit": 200}, timeout=30)
    assert answer.status_code == 200
    return answer.text


def test_no_secret_is_in_what_processes_tell(system: Settings) -> None:
    """Neither in any log of the stack, the servers' included, nor in metrics, nor in what Prefect shows."""
    secrets = secrets_of(system)
    assert len(secrets) >= 4
    assert "hush-hush" in secrets
    texts = {file.name: file.read_text(errors="replace") for file in (system.home / "logs").iterdir()}
    texts |= {f"metrics of {process}": exposed(system, process) for process in PORTS}
    texts |= {f"{what} in Prefect": _prefect(system, what) for what in SHOWN}
    assert all(texts[f"{what} in Prefect"].startswith("[{") for what in ("flow_runs", "logs", "deployments"))
    assert [name for name, text in texts.items() if any(secret in text for secret in secrets)] == []
