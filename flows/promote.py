"""By hand: a version is put into office, or the one that served before it again."""

from typing import Any

from prefect import flow, runtime
from prefect.artifacts import create_markdown_artifact

from infra.bootstrap import connect
from infra.pages import model_page
from tasks.aliases import align
from tasks.core.markdown import link
from tasks.promoting import decide


def _run_name() -> str:
    version = runtime.flow_run.parameters.get("version")
    return f"promote {version}" if version else "roll back"


@flow(name="promote", flow_run_name=_run_name)
def promote(version: str | None = None, reason: str = "by hand", again: bool = False) -> dict[str, Any]:
    """Let `version` serve from the next session on; without it, the version that served before.

    It has to load, and to take the vectors that this code computes. `predict` follows from its next slice
    on. A version that serves already is left alone, unless it is to be tried `again`, as after its file was
    mended. Returns version, previous, valid_from, published and message.
    """
    loop = connect()
    decision = decide(loop, version, reason, again=again)
    align(loop)
    page = link(f"{decision.version} on our page", model_page(loop.settings, decision.version))
    create_markdown_artifact(f"{decision.message}\n\n{page}", key="promote", description=decision.message)
    return decision.as_dict()
