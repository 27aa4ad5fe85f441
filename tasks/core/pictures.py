"""Pictures of a model's hold-out, as PNG bytes."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.core.promotion import Evaluation

MODEL, BASELINE, GUIDE = "#0b6e99", "#b35c00", "#888888"
SHOWN = 25
"""Features that are drawn; the others matter less."""


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


def by_liquidity(groups: pd.DataFrame) -> bytes:
    """Draw by group of turnover how much lower than persistence's the error is (%), with the rank IC."""
    figure = Figure(figsize=(6.4, 4.0), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    bars = axes.bar(list(groups.index), groups["skill"].to_numpy(dtype=float), color=MODEL)
    axes.bar_label(bars, [f"rank IC {value:.2f}" for value in groups["rank_ic"]], fontsize="small", padding=2)
    axes.axhline(0, color=GUIDE, linewidth=0.8)
    axes.margins(y=0.15)
    axes.set(title="Skill by liquidity", ylabel="root mean squared error below persistence's (%)")
    return _png(figure)


def importance(costs: Mapping[str, float]) -> bytes:
    """Draw what shuffling each feature costs, in percent of the error, most first."""
    names = list(costs)[:SHOWN]
    figure = Figure(figsize=(6.4, 1.2 + 0.22 * len(names)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names, [costs[name] for name in names], color=MODEL)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="small")
    axes.set(title="Importance by permutation", xlabel="rise of the root mean squared error (%)")
    return _png(figure)


def calibration(shares: Mapping[float, float]) -> bytes:
    """Draw the share of outcomes inside intervals against what the intervals say, both in percent."""
    figure = Figure(figsize=(5.0, 5.0), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], "--", color=GUIDE, label="perfect")
    said, found = (100 * np.array(list(one), dtype=float) for one in (shares.keys(), shares.values()))
    axes.plot(said, found, "o-", color=MODEL, label="found")
    axes.set(title="Calibration of the intervals", xlabel="nominal coverage (%)", ylabel="found coverage (%)")
    axes.legend(fontsize="small")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
