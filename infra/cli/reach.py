"""The one seam to code of higher layers.

`infra` lies below `tasks` and `flows` and imports neither. Flows are reached through Prefect: a deployment
names its entrypoint (`infra.prefect_runs`). The arithmetic that a command needs by itself, such as the
simulator's, is reached by name here; so is what only reads, and would be no run that anybody looks up.
"""

from importlib import import_module
from typing import Any


def core(module: str) -> Any:
    """Import a module of `tasks.core` by name: pure functions, without servers."""
    return import_module(f"tasks.core.{module}")


def reading(module: str) -> Any:
    """Import a module of `tasks` by name that changes nothing: it reads topics and tables."""
    return import_module(f"tasks.{module}")
