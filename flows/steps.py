"""What each flow does with a slice, by the flow's name: for those who take the same steps elsewhere."""

from flows import (
    compute_features,
    join_errors,
    monitor,
    notify,
    predict,
    recompute,
    retrain,
    schedule_retraining,
    watch_drift,
)
from tasks.work import Steps

STEPS: dict[str, Steps] = {
    "compute-features": compute_features.steps,
    "recompute": recompute.steps,
    "predict": predict.steps,
    "join-errors": join_errors.steps,
    "monitor": monitor.steps,
    "notify": notify.steps,
    "schedule-retraining": schedule_retraining.steps,
    "watch-drift": watch_drift.steps,
    "retrain": retrain.steps,
}
