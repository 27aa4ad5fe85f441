"""By hand: drop a projection, rebuild it from the topics, and prove that the same came out."""

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from infra.bootstrap import connect
from infra.errors import UnsoundError
from infra.settings import load_settings
from tasks.joins import refill
from tasks.rebuilding import rebuild_features, rebuild_read_side


@flow(name="rebuild")
def rebuild(features: bool = False, join: bool = False) -> dict[str, Any]:
    """Rebuild the read side, with `features` the feature table too; the run fails where a digest differs.

    With `join` nothing is dropped: what the join remembers is filled again from the topics.

    Raises:
        UnsoundError: a table came out different; the report has every table's rows and digests.
    """
    if join:
        return _fill_join()
    settings = load_settings()
    found = rebuild_read_side(settings)
    if features:
        found += rebuild_features(settings)
    tables = [one.as_dict() for one in found]
    different = [one.table for one in found if one.same is False]
    message = f"{len(found)} tables rebuilt, {len(different)} differ"
    create_table_artifact(table=tables, key="rebuild", description=message)
    report = {"sound": not different, "message": message, "tables": tables}
    if different:
        told = f"{', '.join(different)} came out different: what was there was not what the topics say"
        raise UnsoundError(told, report)
    return report


def _fill_join() -> dict[str, Any]:
    read = refill(connect())
    told = ", ".join(f"{count} {topic}" for topic, count in read.items())
    return {"sound": True, "message": f"the join remembers {told}", "tables": []}
