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
def promote(
    version: str | None = None, reason: str = "by hand", instead_of: str | None = None
) -> dict[str, Any]:
    """Let `version` serve from the next session on; without it, the version that served before.

    It has to load, and to take the vectors that this code computes. `predict` follows from its next slice
    on. With `instead_of` nothing is changed unless that version serves. A run that is started again changes
    nothing once it has decided. Returns version, previous, valid_from, published and message.
    """
    loop = connect()
    decision = decide(loop, version, reason, asked_by=str(runtime.flow_run.id), instead_of=instead_of)
    align(loop)
    page = link(f"{decision.version} on our page", model_page(loop.settings, decision.version))
    create_markdown_artifact(f"{decision.message}\n\n{page}", key="promote", description=decision.message)
    return decision.as_dict()
