"""Serve the API until the process is stopped: `python -m web`."""

import uvicorn

from infra import logs, metrics
from infra.settings import load_settings
from infra.stack.web import PORT as WEB_PORT
from web.app import create_app

GRACE_SECONDS = 2
"""How long open streams may take to end; they begin again elsewhere."""


def main() -> None:
    """Listen where the settings say."""
    settings = load_settings()
    logs.configure(settings, "web", "uvicorn")
    metrics.serve(settings, "web")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port(WEB_PORT),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
