"""Keep the feature table on S3 up to date with the `features` topic."""

from prefect import flow

from infra.running import stop_signal
from infra.settings import load_settings
from tasks.projections import follow_features


@flow(name="project-features", log_prints=False)
def project_features() -> None:
    """Project committed FeaturesComputed events into the Delta table; runs until the process stops."""
    follow_features(load_settings(), stop_signal())
