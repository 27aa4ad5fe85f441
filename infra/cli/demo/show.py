"""How the demo's lines look."""

from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table

from events.payloads import ModelTrained
from infra.cli.demo.score import score
from infra.cli.demo.watch import Played, Watcher
from infra.settings import Settings

SESSION_HEAD = (
    "session     rows  predictions  errors joined  seconds from DataIngested to last PredictionMade"
)


def session_line(played: Played) -> str:
    """One line a session, under SESSION_HEAD."""
    counts = f"{played.rows:4d}  {played.predictions:11d}  {played.errors:13d}"
    return f"{played.day}  {counts}  {played.seconds:7.2f}"


def model_line(model: ModelTrained) -> str:
    """One line a training."""
    verdict = "serves" if model.promoted else "does not serve"
    return f"{model.model_version} trained on data up to {model.training_end}, {verdict}: {model.why}"


def summary(settings: Settings, watcher: Watcher, played: list[Played], seconds: float) -> RenderableType:
    """Tell what happened in all, and where to look."""
    return Group(
        "",
        _events(watcher),
        "",
        *_skill(watcher, played),
        "",
        _addresses(settings),
        _closing(played, seconds),
    )


def _events(watcher: Watcher) -> Table:
    table = Table("topic", "events", title="events published", title_justify="left", box=None)
    for topic, count in watcher.counts.items():
        table.add_row(topic, str(count))
    return table


def _skill(watcher: Watcher, played: list[Played]) -> list[str]:
    found = score(watcher.errors)
    alerts = watcher.counts["alerts"] - watcher.alerts_before
    lines = [
        f"alerts raised: {alerts} while playing, {watcher.alerts_before} while loading the history",
        *(f"retraining asked for: {t.reason} on data up to {t.data_end_date}" for t in watcher.triggers),
    ]
    if found is None:
        return [
            *lines,
            "no trained version served in the sessions played: persistence (v0) made every prediction",
        ]
    better = (1 - found.rmse / found.baseline_rmse) * 100 if found.baseline_rmse else 0.0
    verdict = f"RMSE {better:.1f} % lower" if better > 0 else "no skill on these sessions"
    return [
        f"{found.predictions} predictions for {len(played)} sessions, errors in rupees on the same pairs:",
        f"  model        MAE {found.mae:8.3f}  RMSE {found.rmse:8.3f}",
        f"  persistence  MAE {found.baseline_mae:8.3f}  RMSE {found.baseline_rmse:8.3f}   {verdict}",
        *lines,
    ]


def _addresses(settings: Settings) -> Table:
    table = Table("part", "address", title="still up", title_justify="left", box=None)
    for name, url in (
        ("page (what it forecasts)", settings.web_ui),
        ("Prefect (runs)", settings.prefect_ui),
        ("MLflow (models)", settings.mlflow_ui),
        ("Kafka", settings.bootstrap),
        ("S3", settings.s3_url),
    ):
        table.add_row(name, url)
    return table


def _closing(played: list[Played], seconds: float) -> str:
    middle = median(p.seconds for p in played) if played else float("nan")
    return (
        f"\nmedian {middle:.2f} s from DataIngested to the last PredictionMade; {seconds:.0f} s in all."
        "\nLook around: nepse status, nepse lag, nepse tail predictions --from-beginning --count 3"
        "\nStop: nepse down"
    )
