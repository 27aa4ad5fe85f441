"""Our own HTTP API on the read side."""

import sys
from importlib.metadata import version

from infra.settings import Settings
from infra.stack import probes
from infra.stack.parts import Part
from infra.telemetry.ports import address_of, port_of

PORT = 8000
NICE = 10


def parts(settings: Settings) -> list[Part]:
    """Describe the API's process."""
    return [
        Part(
            name="web",
            command=(sys.executable, "-m", "web"),
            version=version("nepse-loop"),
            url=settings.web_ui,
            modules=("web.app",),
            metrics=address_of(settings, "web"),
            ports={"the API": settings.port(PORT), "the metrics of the API": port_of(settings, "web")},
            nice=NICE,
            needs=("postgres",),
            ready=ready,
        )
    ]


def ready(settings: Settings) -> None:
    """Ask the process itself: what it reads from may still be empty, or away."""
    probes.get_json(f"{settings.web_ui}/api/v1/openapi.json")
