"""The one seam to code of higher layers.

`infra` lies below `tasks` and `flows` and imports neither. Flows are reached through Prefect: a deployment
names its entrypoint (`infra.prefect_runs`). The arithmetic that a command needs by itself, such as the
simulator's, is reached by name here.
"""

from importlib import import_module
from typing import Any


def core(module: str) -> Any:
    """Import a module of `tasks.core` by name: pure functions, without servers."""
    return import_module(f"tasks.core.{module}")
