"""The models' part of the page."""

from importlib.metadata import version

from bench.models import SYMBOLS, Figures
from bench.report import Target, machine, rows

TARGETS = (
    Target("seconds for a retraining on the whole history", 300, "{:.0f}", most=True),
    Target("MB of memory held by the process that trains", 2_500, "{:,.0f}", most=True),
    Target("milliseconds to load a version, warm", 200, "{:.0f}", most=True),
    Target(f"milliseconds for {SYMBOLS} predictions with intervals", 25, "{:.1f}", most=True),
)
HEAD = """\
## Models

Feature set {set} over {source}: {rows:,} vectors of {symbols} symbols in {sessions:,} sessions, in the
feature table on a real object store. A retraining reads them, fits once before the {held} held-out sessions
({fitted:,} rows, {features} features), calibrates the intervals and judges, explains and draws the model
there, and registers it in a real MLflow. All of it in one process and, as everywhere, with one thread of
arithmetic.

| step of the retraining | seconds |
|---|---|
"""
TIMES = """
Loading asks MLflow where the version lies, fetches {megabytes:.1f} MB from the object store, checks hash and
types and builds the model. Predicting begins at a session's vectors and ends at the events' payloads.

| | first: ms | warm: ms | at worst | most memory, MB |
|---|---|---|---|---|
"""


def part(figures: Figures) -> str:
    """Write the part."""
    model, training = figures.model, dict(figures.training)
    text = HEAD.format(**figures.market, held=model["held"], fitted=model["rows"], features=model["features"])
    held = training.pop("peak")
    text += "".join(f"| {step} | {seconds:.1f} |\n" for step, seconds in training.items())
    text += f"\nThe process held {held:,.0f} MB at most.\n" + TIMES.format(**model)
    text += _row("loading a version", figures.loading)
    text += _row(f"predicting {figures.predicting['vectors']} vectors", figures.predicting)
    libraries = [f"{name} {version(name)}" for name in ("scikit-learn", "skops", "mlflow")]
    return text + "\n" + rows(TARGETS, reached(figures)) + machine("shared by the servers", *libraries)


def reached(figures: Figures) -> list[float | None]:
    """Give the figures of TARGETS."""
    training = figures.training
    return [training["whole"], training["peak"], figures.loading["warm"], figures.predicting["warm"]]


def _row(what: str, took: dict[str, float]) -> str:
    return (
        f"| {what} | {took['first']:.0f} | {took['warm']:.1f} | {took['worst']:.1f} | {took['peak']:,.0f} |\n"
    )
