"""Where each of our lasting processes serves its metrics."""

from infra.settings import Settings

PORTS = {"forecasting": 9101, "judging": 9102, "telling": 9103, "projectors": 9104, "web": 9105}
"""By the process's name, before the stack's offset."""


def port_of(settings: Settings, process: str) -> int:
    """Tell a process's port."""
    return settings.metrics_port or settings.port(PORTS[process])


def address_of(settings: Settings, process: str) -> str:
    """Give the address that Prometheus reads."""
    return f"http://{settings.host}:{port_of(settings, process)}/metrics"
