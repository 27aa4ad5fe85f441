"""docker-compose.yml against the local stack: same parts, same versions, nothing open, no secret inside."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.errors import UsageError
from infra.settings import PROJECT, load_settings
from infra.stack import broker, health, setup
from infra.stack.parts import plan
from infra.telemetry.ports import PORTS

COMPOSE = PROJECT / "docker-compose.yml"
TEXT = COMPOSE.read_text()
ONCE = {"databases", "setup", "deploy"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The parsed file."""
    parsed: dict[str, Any] = yaml.safe_load(TEXT)
    return parsed


def test_parts_are_those_of_the_local_stack(compose: dict[str, Any], tmp_path: Path) -> None:
    """Whoever knows one knows the other."""
    local = {part.name for part in plan(load_settings(tmp_path)) if not part.once}
    profiles = {name: service.get("profiles") for name, service in compose["services"].items()}
    asked_for = {name for name, profile in profiles.items() if profile}
    assert set(profiles) - ONCE - asked_for == local
    assert asked_for == {"prometheus", "grafana"}
    assert all(profiles[name] == ["telemetry"] for name in asked_for)


@pytest.mark.parametrize(
    ("service", "image"),
    [
        ("kafka", "apache/kafka"),
        ("s3", "chrislusf/seaweedfs"),
        ("postgres", "postgres"),
        ("prefect", "prefecthq/prefect"),
    ],
)
def test_versions_are_those_of_the_local_stack(
    service: str, image: str, compose: dict[str, Any], tmp_path: Path
) -> None:
    """The tag is the local part's version, as exact as the image is published."""
    version = next(part.version for part in plan(load_settings(tmp_path)) if part.name == service)
    name, tag = compose["services"][service]["image"].split(":")
    assert name == image
    assert version == tag.split("-")[0] or version.startswith(f"{tag}.")


def test_ports_are_bound_to_the_loopback(compose: dict[str, Any]) -> None:
    """Nothing is offered to other machines."""
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_have_no_default() -> None:
    """Without them compose refuses to start, and none is written here."""
    used = re.findall(r"\$\{(\w+)(.*?)\}", TEXT)
    assert {name for name, _ in used} == {
        *("NEPSE_DATABASE_PASSWORD", "NEPSE_S3_SECRET_KEY", "NEPSE_API_TOKEN")
    }
    assert all(rest.startswith(":?") for _, rest in used)
    example = (PROJECT / "infra" / "docker" / "env.example").read_text()
    assert re.findall(r"^\w+=(.*)$", example, re.MULTILINE) == ["", "", ""]


def test_lasting_services_have_health_checks_and_steps_end(compose: dict[str, Any]) -> None:
    """What others wait for can say that it is well."""
    for name, service in compose["services"].items():
        if name in ONCE:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"]


def test_what_is_waited_for_exists_and_can_be_waited_for(compose: dict[str, Any]) -> None:
    """Steps are waited for to end, servers to be healthy."""
    for service in compose["services"].values():
        for name, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if name in ONCE else "service_healthy"
            assert how == {"condition": wanted}
            assert name in compose["services"]


def test_our_lasting_processes_keep_their_names(compose: dict[str, Any]) -> None:
    """A container that is made anew has the member's name of the one before, and knows its runs."""
    names = {name: service.get("hostname") for name, service in compose["services"].items()}
    hosts = {name for name, service in compose["services"].items() if "worker" in name or _hosts(service)}
    assert len(hosts) == 5
    assert {names[name] for name in hosts} == hosts


def _hosts(service: dict[str, Any]) -> bool:
    return "sensors.host" in service.get("command", [])


def test_volumes_are_declared(compose: dict[str, Any]) -> None:
    """State is in named volumes."""
    mounts = [one for service in compose["services"].values() for one in service.get("volumes", [])]
    assert {mount.split(":")[0] for mount in mounts} == set(compose["volumes"])


def test_metrics_are_read_where_they_are_served(compose: dict[str, Any]) -> None:
    """Our processes let other containers ask; what Prometheus and Grafana are given is in the project."""
    services = compose["services"]
    for name in PORTS:
        assert services[name]["environment"]["NEPSE_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - in a container
        assert services[name].get("ports", []) == (["127.0.0.1:8000:8000"] if name == "web" else [])
    files = {name: PROJECT / one["file"] for name, one in compose["configs"].items()}
    assert all(file.is_file() for file in files.values())
    used = {one["source"] for name in ("prometheus", "grafana") for one in services[name]["configs"]}
    assert used == set(files)
    [source] = yaml.safe_load(files["grafana-source"].read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_broker_settings_are_those_of_the_local_broker(compose: dict[str, Any], tmp_path: Path) -> None:
    """Every setting of the local broker that isn't an address is in the container's environment."""
    environment = compose["services"]["kafka"]["environment"]
    lines = broker.properties(load_settings(tmp_path)).splitlines()
    local = {
        f"KAFKA_{name.upper().replace('.', '_')}": text
        for name, text in (line.split("=", 1) for line in lines)
    }
    addresses = {
        name for name in local if "LISTENERS" in name or "QUORUM" in name or name == "KAFKA_LOG_DIRS"
    }
    assert {name: environment.get(name) for name in local if name not in addresses} == {
        name: text for name, text in local.items() if name not in addresses
    }


def test_setup_refuses_what_cannot_be_prepared(tmp_path: Path) -> None:
    """A misspelt part is wrong usage."""
    with pytest.raises(UsageError, match="nothing to prepare on kafak"):
        setup.prepare(load_settings(tmp_path), ["kafak"])


def test_health_says_what_is_wrong(tmp_path: Path) -> None:
    """A part that doesn't answer, and one that doesn't exist."""
    settings = load_settings(tmp_path, prefect_url="http://127.0.0.1:9")
    assert "does not answer" in str(health.trouble(settings, "prefect"))
    assert health.trouble(settings, "nonsense") == "there is no part nonsense"
