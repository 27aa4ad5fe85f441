"""What Prometheus and Grafana are given: names that exist, rules that fire, a dashboard that can be drawn."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from infra import metrics
from infra.settings import PROJECT, load_settings
from infra.stack.flows_host import HOSTS
from infra.stack.parts import plan
from infra.telemetry import dashboard
from infra.telemetry.ports import PORTS
from infra.wiring import routes

FOLDER = PROJECT / "infra" / "telemetry"
RULES, RULE_TESTS = FOLDER / "prometheus" / "rules.yml", FOLDER / "prometheus" / "rules.test.yml"
CONFIGS = (FOLDER / "prometheus" / "prometheus.yml", FOLDER / "prometheus" / "compose.yml")
NAMES = dict(metrics.names())
SUFFIXES = ("_bucket", "_count", "_sum")
UNITS = ("_total", "_seconds", "_offsets", "_records", "_ratio", "_info")


def promtool(*arguments: str, given: bytes | None = None, at: Path = FOLDER) -> str:
    """Let Prometheus's own tool look at something; gives what it says."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    done = subprocess.run(
        [tool, *arguments], input=given, capture_output=True, cwd=at, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def rules() -> list[dict[str, Any]]:
    """Every alert rule of the file."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def asks() -> list[str]:
    """Every query of the dashboard."""
    return [
        target["expr"] for panel in dashboard.dashboard()["panels"] for target in panel.get("targets", [])
    ]


def named_in(text: str) -> set[str]:
    """Names of ours in a query, without what a histogram adds to its own."""
    found = set()
    for name in re.findall(r"\bnepse_\w+", text):
        family = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        found.add(family if NAMES.get(family) == "histogram" else name)
    return found


def test_every_metric_that_is_asked_for_exists_and_every_other_is_asked_for() -> None:
    """A metric that was renamed would leave a rule or a picture empty, and silent."""
    texts = [*(rule["expr"] for rule in rules()), *asks()]
    assert {name for text in texts for name in named_in(text)} == set(NAMES)


def test_names_say_their_units() -> None:
    """As Prometheus wants it: base units, counters end in total."""
    assert len(NAMES) > 20
    for name, kind in NAMES.items():
        assert name.startswith("nepse_")
        assert name.endswith(UNITS), name
        assert (kind == "counter") == name.endswith("_total"), name


def test_no_label_may_hold_a_share_or_a_run() -> None:
    """What labels hold is bounded: a series for each share would be thousands."""
    labels = {name for one in vars(metrics).values() for name in getattr(one, "_labelnames", ())}
    assert labels == {
        *("version", "flow", "direction", "outcome", "reason", "rule", "topic", "partition"),
        *("model_version", "role", "route", "method", "status"),
    }


def test_rules_about_lag_are_as_patient_as_the_wiring() -> None:
    """What may take an hour by prefect.yaml may do so here, and nothing else."""
    patient = {route.flow: route.stalled_after_s for route in routes() if route.stalled_after_s}
    lag = {rule["alert"]: rule["expr"] for rule in rules() if "_lag_seconds" in rule["expr"]}
    long = lag.pop("NepseLongWorkLags")
    assert {long.rpartition("> ")[2]} == {str(seconds) for seconds in patient.values()}
    assert {frozenset(_flows(ask)) for ask in (long, *lag.values())} == {frozenset(patient)}
    assert all("flow!~" in ask for ask in lag.values())


def _flows(ask: str) -> list[str]:
    return re.findall(r'flow[!=]~"([^"]+)"', ask)[0].split("|")


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_process_is_scraped_at_its_port(file: Path) -> None:
    """Under its name, which rules and pictures use."""
    [job] = yaml.safe_load(file.read_text())["scrape_configs"]
    ports = {
        one["labels"]["process"]: int(target.rpartition(":")[2])
        for one in job["static_configs"]
        for target in one["targets"]
    }
    assert ports == PORTS
    assert job["job_name"] == "nepse"
    assert file.name != "compose.yml" or {
        target.partition(":")[0] for one in job["static_configs"] for target in one["targets"]
    } == set(PORTS)


def test_every_lasting_process_of_ours_has_a_port_and_status_tells_it(tmp_path: Path) -> None:
    """The hosts and the API; the worker only starts other processes."""
    settings = load_settings(tmp_path, port_offset=100)
    told = {part.name: part.metrics for part in plan(settings) if part.metrics}
    assert told == {name: f"http://127.0.0.1:{port + 100}/metrics" for name, port in PORTS.items()}
    assert set(told) == {*HOSTS, "web"}


def test_the_rules_are_rules() -> None:
    """By Prometheus's own tool."""
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(RULES))


def test_the_rules_fire_when_they_should() -> None:
    """Each rule has a case in the file of tests, which Prometheus's own tool runs."""
    cases = yaml.safe_load(RULE_TESTS.read_text())["tests"]
    fired = {one["alertname"] for case in cases for one in case["alert_rule_test"] if one.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in rules()}
    assert "SUCCESS" in promtool("test", "rules", str(RULE_TESTS), at=RULES.parent)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_the_configuration_is_one(file: Path) -> None:
    """By Prometheus's own tool, which reads the rules that it names as well."""
    assert "SUCCESS" in promtool("check", "config", str(file), at=RULES.parent)


def test_queries_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    """As recording rules, since Grafana has no tool for it."""
    written = [
        {"record": f"ask{number}", "expr": ask.replace("$__rate_interval", "1m")}
        for number, ask in enumerate(asks())
    ]
    file = tmp_path / "asks.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asks", "rules": written}]}))
    assert f"{len(written)} rules found" in promtool("check", "rules", str(file))


def test_what_is_exposed_is_what_prometheus_expects() -> None:
    """The text of a scrape, with a value in every metric of ours."""
    metrics.alone(metrics.WATCH_LOOKED, 1.0)
    metrics.alone(metrics.SESSION_AGE, 1.0)
    for one in vars(metrics).values():
        if isinstance(one, metrics.Counter | metrics.Gauge | metrics.Histogram):
            child = one.labels(*one._labelnames) if one._labelnames else one
            child.observe(1) if isinstance(child, metrics.Histogram) else child.inc()
    ours = b"".join(line + b"\n" for line in generate_latest().splitlines() if b"nepse_" in line)
    assert all(name.encode() in ours for name in NAMES)
    promtool("check", "metrics", given=ours)


def test_the_dashboard_is_what_the_code_says(tmp_path: Path) -> None:
    """Panels that are changed reach the file by `python -m infra.telemetry.dashboard --write`."""
    assert dashboard.main(["--check"]) == 0
    other = tmp_path / "nepse.json"
    assert dashboard.main(["--check", "--document", str(other)]) == 1
    assert dashboard.main(["--write", "--document", str(other)]) == 0
    assert json.loads(other.read_text()) == json.loads(dashboard.DOCUMENT.read_text())


def test_panels_do_not_cover_each_other() -> None:
    """Each has its own number and its own place within the width."""
    panels = dashboard.dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < dashboard.WIDTH
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
