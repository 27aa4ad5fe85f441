"""Pictures of a model's hold-out, as PNG bytes."""

from io import BytesIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.core.promotion import Evaluation

MODEL, BASELINE, GUIDE = "#0b6e99", "#b35c00", "#888888"


def predicted_against_actual(evaluation: Evaluation) -> bytes:
    """Draw forecast returns against those that came, in percent, and the mean of each tenth of them."""
    predicted = 100 * evaluation.rows["predicted"].to_numpy(dtype=float)
    actual = 100 * evaluation.rows["target"].to_numpy(dtype=float)
    figure = Figure(figsize=(6.4, 5.0), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(predicted, actual, s=4, alpha=0.15, color=MODEL, linewidths=0, label="symbol and session")
    deciles = np.array_split(np.argsort(predicted), min(10, len(predicted)))
    means = [(predicted[part].mean(), actual[part].mean()) for part in deciles]
    axes.plot(*zip(*means, strict=True), "o-", color=BASELINE, label="mean of a tenth of the forecasts")
    ends = [float(predicted.min()), float(predicted.max())]
    axes.plot(ends, ends, "--", color=GUIDE, label="perfect")
    axes.set(title="Predicted against actual", xlabel="forecast return (%)", ylabel="actual return (%)")
    axes.legend(loc="upper left", fontsize="small")
    return _png(figure)


def error_over_time(evaluation: Evaluation) -> bytes:
    """Draw the root mean squared return error of each held-out session, model and persistence, in percent."""
    sessions = evaluation.sessions
    figure = Figure(figsize=(7.2, 4.0), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for column, colour in (("persistence", BASELINE), ("model", MODEL)):
        error = 100 * np.sqrt(sessions[column].to_numpy(dtype=float))
        axes.plot(sessions.index.to_numpy(), error, ".-", color=colour, label=column)
    axes.set(title="Error over the held-out sessions", ylabel="root mean squared error (% return)")
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", rotation=30)
    axes.legend(fontsize="small")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
