"""Whether a model that could be loaded can forecast, too: tried once, before anything depends on it."""

import numpy as np
import pandas as pd

from tasks.core.training import TrainedModel, bands, predict_return
from tasks.core.training_rows import TrainingRows

ROWS = 2
"""Rows that are tried: of a single one a wrong shape may look right."""


class UnusableError(ValueError):
    """A model can't forecast; the message says why."""


def require_usable(model: TrainedModel) -> None:
    """Forecast rows of which nothing is known, with their intervals.

    Every vector may lack any feature, so that a model has to give a finite forecast of none at all.

    Raises:
        UnusableError: it fails, or gives not one finite number a row.
    """
    try:
        names = tuple(model.card.features)
        values = np.full((ROWS, len(names)), np.nan, dtype=np.float32)
        returns = predict_return(model, TrainingRows(pd.DataFrame(index=range(ROWS)), values, names))
        ends = [end for band in bands(model.card, values, returns).values() for end in band]
    except Exception as error:  # whatever a foreign estimator raises, the decision is the same
        message = f"it fails to forecast a row of missing values ({type(error).__name__}: {error})"
        raise UnusableError(message) from error
    if any(one.shape != (ROWS,) or not np.isfinite(one).all() for one in (returns, *ends)):
        message = "what it forecasts of a row of missing values is not one finite number a row"
        raise UnusableError(message)
