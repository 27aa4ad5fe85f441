"""Schedules that are for those who asked for them: the looks at the landing place."""

from infra.settings import Settings, load_settings
from infra.stack import probes
from infra.wiring import full_name

LANDING = "landing-"
"""Begins the slugs of the schedules (prefect.yaml) that look at the landing place."""


def watch_landing(settings: Settings) -> None:
    """Turn these schedules on where a landing place is set, and off where none is.

    Raises:
        TryAgainError: the Prefect server does not answer, or has no such deployment.
    """
    deployments, wanted = f"{settings.prefect_ui}/api/deployments", settings.landing is not None
    found = probes.get_json(f"{deployments}/name/{full_name('ingest')}")
    for schedule in found["schedules"]:
        if (schedule["slug"] or "").startswith(LANDING) and schedule["active"] != wanted:
            url = f"{deployments}/{found['id']}/schedules/{schedule['id']}"
            probes.get_json(url, {"active": wanted}, "PATCH")


def main() -> None:
    """Do it for the server that the environment names: `python -m infra.stack.schedules`."""
    watch_landing(load_settings())


if __name__ == "__main__":
    main()
