"""Weekly at night: fewer and larger files for the feature table, its statistics, old errors forgotten."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import Field

from infra.bootstrap import connect
from tasks.maintaining import maintain_features
from tasks.monitoring import forget


@flow(name="maintain")
def maintain(keep_days: Annotated[int, Field(ge=1, le=3_650)] = 30) -> dict[str, Any]:
    """Compact the feature table, forget versions older than `keep_days` that no model was trained on.

    The errors that monitor looks back at are kept for 400 days.

    Returns what changed, and of each feature how many rows have a value, its bounds and its mean.
    """
    loop = connect()
    done = maintain_features(loop, timedelta(days=keep_days))
    features = [asdict(one) for one in loop.feature_table.known_values()]
    rows = [{"when": "before", **asdict(done.before)}, {"when": "after", **asdict(done.after)}]
    create_table_artifact(table=rows, key="maintain-table", description=done.message)
    create_table_artifact(table=features, key="maintain-features", description=f"{len(features)} features")
    forgotten = {"errors_forgotten": forget(loop)}
    return {"message": done.message, **done.as_dict(), **forgotten, "features": features}
