"""What a training leaves in MLflow: a run with its figures and pictures, and the model with its file."""

import json
import math
import time
from hashlib import sha256
from typing import Any, NamedTuple

from infra.artifact import TRUSTED, digest
from infra.registry_types import Submission
from infra.store import Store

EXPERIMENT = "nepse-close"
MODEL_FILE, ANNOUNCEMENT = "model.skops", "announcement.json"
"""Objects of a model's folder."""
EXAMPLE, SERVED_EXAMPLE = "input_example.json", "serving_input_example.json"
"""The same row, as MLflow keeps it and as its server would be sent it."""
NOTE, NOTE_LENGTH = "mlflow.note.content", 8_000
"""The tag that MLflow shows as a run's description, and its longest value."""
PARAMS_AT_ONCE = 100


class Logged(NamedTuple):
    """Where a model lies, and how the registry is to name it."""

    location: str
    source: str
    model_id: str
    announcement_sha256: str


def log_run(client: Any, store: Store, experiment: str, submission: Submission) -> Any:
    """Start the run of a training and log everything but the model; earlier halves of it are ended."""
    key = sha256(submission.trigger.encode()).hexdigest()[:32]
    for old in client.search_runs(
        [experiment], f"tags.trigger_key = '{key}' and attributes.status = 'RUNNING'"
    ):
        client.set_terminated(old.info.run_id, "KILLED")
    tags = {
        **submission.tags,
        "trigger": submission.trigger,
        "trigger_key": key,
        "why": submission.why[:1000],
        NOTE: submission.report[:NOTE_LENGTH],
    }
    name = f"train to {submission.card.get('training_end', '?')}"
    run = client.create_run(experiment, run_name=name, tags=tags)
    client.log_batch(run.info.run_id, metrics=_metrics(submission))
    params = _params(submission)
    for start in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run.info.run_id, params=params[start : start + PARAMS_AT_ONCE])
    for path, data in _files(submission).items():
        store.put_new(f"{run.info.artifact_uri}/{path}", data)
    return run


def log_model(client: Any, store: Store, run: Any, submission: Submission) -> Logged:
    """Log the model under the run: its file, its description in MLflow's words, what is to be said of it."""
    from mlflow.entities import LoggedModelOutput  # noqa: PLC0415

    model = client.create_logged_model(
        run.info.experiment_id, name="model", source_run_id=run.info.run_id, model_type="sklearn"
    )
    said = json.dumps(dict(submission.announcement)).encode()
    files = {
        MODEL_FILE: submission.data,
        "MLmodel": _mlmodel(model.model_id, run.info.run_id, submission).encode(),
        ANNOUNCEMENT: said,
        **_example(submission),
    }
    for name, data in files.items():
        store.put_new(f"{model.artifact_location}/{name}", data)
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, "READY")
    location = f"{model.artifact_location}/{MODEL_FILE}"
    return Logged(location, f"models:/{model.model_id}", str(model.model_id), digest(said))


def _metrics(submission: Submission) -> list[Any]:
    from mlflow.entities import Metric  # noqa: PLC0415

    now = int(time.time() * 1000)
    steps = [(submission.metrics, 0), *((fold, step) for step, fold in enumerate(submission.folds, 1))]
    return [
        Metric(f"fold/{name}" if step else name, float(value), now, step)
        for measures, step in steps
        for name, value in measures.items()
        if math.isfinite(value)
    ]


def _params(submission: Submission) -> list[Any]:
    from mlflow.entities import Param  # noqa: PLC0415

    return [Param(name, str(value)[:500]) for name, value in submission.params.items()]


def _files(submission: Submission) -> dict[str, bytes]:
    files = {f"pictures/{name}": data for name, data in submission.pictures.items()}
    files["card.json"] = json.dumps(dict(submission.card), indent=2).encode()
    files["model_card.md"] = submission.report.encode()
    return files


def _example(submission: Submission) -> dict[str, bytes]:
    if submission.input_example is None:
        return {}
    names, values = list(submission.input_example), list(submission.input_example.values())
    split = {"columns": names, "data": [values]}
    return {
        EXAMPLE: json.dumps(split).encode(),
        SERVED_EXAMPLE: json.dumps({"dataframe_split": split}).encode(),
    }


def _mlmodel(model_id: str, run_id: str, submission: Submission) -> str:
    """Describe the file in MLflow's own words, so that its page shows the signature and its loader works."""
    import sklearn  # noqa: PLC0415
    from mlflow.models import Model  # noqa: PLC0415
    from mlflow.models.signature import ModelSignature  # noqa: PLC0415
    from mlflow.types.schema import ColSpec, Schema  # noqa: PLC0415

    inputs = Schema([ColSpec("double", name, required=False) for name in submission.card.get("features", [])])
    outputs = Schema([ColSpec("double", "log_return")])
    model = Model(run_id=run_id, model_id=model_id, signature=ModelSignature(inputs, outputs))
    if submission.input_example is not None:
        model.saved_input_example_info = {
            "artifact_path": EXAMPLE,
            "serving_input_path": SERVED_EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
        }
    model.add_flavor(
        "sklearn",
        pickled_model=MODEL_FILE,  # MLflow's name for any model file; ours is skops, never pickle
        sklearn_version=sklearn.__version__,
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED),
        code=None,
    )
    return str(model.to_yaml())
