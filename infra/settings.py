"""Every setting of the system, read here and nowhere else.

Order: keyword, environment (`NEPSE_...`), `settings.env` in the stack's home, default.
"""

import os
import re
import socket
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SETTINGS_FILE = "settings.env"
PROJECT = Path(__file__).resolve().parents[1]
INHERITED = (
    *("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


class Settings(BaseSettings):
    """Where things are and how hard to push them; `nepse doctor` prints each with its origin."""

    model_config = SettingsConfigDict(
        env_prefix="NEPSE_",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a channel's URL holds a password
    )

    home: Path = Field(Path(".nepse"), description="State folder of the local stack.")
    data: str | None = Field(None, description="Folder or URL of exchange files; the simulator without it.")
    landing: str | None = Field(
        None, description="Folder or URL that is looked through for new price files after each close."
    )
    host: str = Field("127.0.0.1", description="Address that the local servers listen on.")
    port_offset: int = Field(0, ge=0, le=46_000, description="Added to every default port.")
    metrics_host: str | None = Field(
        None, description="Address that metrics are served on; that of the local servers without it."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Where this one process serves its metrics; 9101 to 9105 and the offset without it.",
    )
    jars: Path = Field(Path(".jars"), description="Folder of the broker's jars, shared by all stacks.")

    parts: list[str] = Field([], description="Parts that the local stack runs; all of them without it.")
    faults: Path | None = Field(
        None, description="Folder in which tests arm faults (infra/faults.py); never set otherwise."
    )

    kafka_bootstrap: str | None = Field(None, description="Broker address; the local broker without it.")
    s3_endpoint: str | None = Field(None, description="S3 URL; the local SeaweedFS without it.")
    s3_access_key: str = Field("nepse", description="S3 identity.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="S3 secret; made at the first `nepse up`.")
    database_url: SecretStr | None = Field(None, description="Postgres URL; the local server without it.")
    database_password: SecretStr = Field(SecretStr(""), description="Postgres password; made at first start.")
    api_token: SecretStr = Field(
        SecretStr(""), description="What commands over HTTP need; made at the first `nepse up`."
    )
    prefect_url: str | None = Field(None, description="Prefect server; the local one without it.")
    mlflow_url: str | None = Field(None, description="MLflow server; the local one without it.")
    work_pool: str = Field("nepse", description="Prefect work pool of every deployment.")

    raw_bucket: str = Field("nepse-raw", description="Bucket of raw sessions.")
    features_bucket: str = Field("nepse-features", description="Bucket of the feature table.")
    models_bucket: str = Field("nepse-models", description="Bucket of model artifacts.")
    model_name: str = Field("nepse-close", description="Registered model.")

    partitions: int = Field(3, ge=1, description="Partitions of the topics keyed by symbol.")
    replication: int = Field(
        1,
        ge=1,
        description="Replicas of each new topic; from 3 on, two of them have to hold a record.",
    )
    slice_records: int = Field(20_000, ge=1, description="Most records in a slice.")
    slice_bytes: int = Field(
        64 * 1024 * 1024, ge=1, description="A slice ends early once its records hold more bytes than this."
    )
    slice_linger_ms: int = Field(40, ge=0, description="How long a sensor waits for more, in milliseconds.")
    transaction_timeout_ms: int = Field(20_000, ge=5_000, description="Broker aborts a transaction after it.")
    delivery_timeout_ms: int = Field(
        12_000, ge=1_000, description="A record not acknowledged by then failed; below the transaction's."
    )
    session_timeout_ms: int = Field(
        10_000, ge=6_000, description="A silent sensor loses its partitions then."
    )
    instance: str | None = Field(
        None,
        pattern="^[A-Za-z0-9._-]{1,150}$",
        description="Name of this copy of the sensors, the same after a restart; the machine's without it.",
    )
    stalled_after_s: int = Field(
        60, ge=1, description="A sensor with lag that committed nothing for so long is unhealthy."
    )

    expire_after_sessions: int = Field(
        10, ge=1, description="A prediction expires when so many later sessions came before its actual."
    )
    retrain_after_sessions: int = Field(100, ge=1, description="New data points that ask for a retraining.")
    alert_rules: Path | None = Field(
        None, description="A file of alert rules; without it those that come with the system."
    )
    notify_channels: dict[str, SecretStr] = Field(
        default={}, description="Channels for alerts: JSON of names and Apprise URLs, tried in this order."
    )
    notify_urls: list[SecretStr] = Field(
        default=[], description="More Apprise URLs; as channels they are called url_1, url_2 and so on."
    )

    otlp_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="Collector of traces over OTLP/HTTP; `/v1/traces` is added. No spans without it.",
    )

    dask: str | None = Field(
        None,
        description="Where backfills compute: a Dask scheduler's address, or 'local' for workers of its own;"
        " in process without it.",
    )
    dask_symbols: int = Field(
        128,
        ge=1,
        description="Symbols that a task on Dask computes: 5 MB for 250 sessions and the window before them.",
    )

    @field_validator("delivery_timeout_ms")
    @classmethod
    def _below_the_transaction(cls, value: int, info: ValidationInfo) -> int:
        """A record that may still be on its way when its transaction is aborted proves nothing."""
        longest = info.data.get("transaction_timeout_ms", value + 1)
        if value >= longest:
            message = f"{value} has to be below NEPSE_TRANSACTION_TIMEOUT_MS, which is {longest}"
            raise ValueError(message)
        return value

    @cached_property
    def copy_name(self) -> str:
        """Name of this copy of the sensors, as Kafka allows it in a member's name."""
        return self.instance or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:150]

    @cached_property
    def jars_folder(self) -> Path:
        """Where the broker's jars are; a relative setting counts from the project."""
        return PROJECT / self.jars

    def port(self, default: int) -> int:
        """Shift a default port so that several stacks can run side by side."""
        return default + self.port_offset

    @cached_property
    def bootstrap(self) -> str:
        """Address of the broker, `host:port`."""
        return self.kafka_bootstrap or f"{self.host}:{self.port(9092)}"

    @cached_property
    def s3_url(self) -> str:
        """Endpoint of the object store."""
        return self.s3_endpoint or f"http://{self.host}:{self.port(8333)}"

    @cached_property
    def prefect_ui(self) -> str:
        """Address of the Prefect server and its page."""
        return self.prefect_url or f"http://{self.host}:{self.port(4200)}"

    def run_page(self, run_id: str) -> str:
        """Address of a run's page at the Prefect server."""
        return f"{self.prefect_ui}/runs/flow-run/{run_id}"

    @cached_property
    def mlflow_ui(self) -> str:
        """Address of the MLflow server and its page."""
        return self.mlflow_url or f"http://{self.host}:{self.port(5000)}"

    @cached_property
    def web_ui(self) -> str:
        """Address of our own page and API."""
        return f"http://{self.host}:{self.port(8000)}"

    def postgres(self, database: str, driver: str = "postgresql+psycopg") -> str:
        """Build the URL of one of our databases (`nepse`, `prefect`, `mlflow`); it holds the password."""
        if self.database_url is not None:
            server = self.database_url.get_secret_value().split("://", 1)[-1].rstrip("/")
        else:
            password = quote(self.database_password.get_secret_value(), safe="")
            server = f"nepse:{password}@{self.host}:{self.port(5433)}"
        return f"{driver}://{server}/{database}"

    def environment(self) -> dict[str, str]:
        """What child processes and client libraries need to find this stack."""
        return {
            "NEPSE_HOME": str(self.home.resolve()),
            "PREFECT_HOME": str(self.home.resolve() / "prefect"),
            "PREFECT_API_URL": f"{self.prefect_ui}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # the server asks for no token
            "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",  # hashing inputs costs more than our tasks do
            "MLFLOW_TRACKING_URI": self.mlflow_ui,
            "MLFLOW_S3_ENDPOINT_URL": self.s3_url,
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "AWS_ACCESS_KEY_ID": self.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3_secret_key.get_secret_value(),
            "AWS_DEFAULT_REGION": "us-east-1",
            "DO_NOT_TRACK": "1",
        }


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings of the stack whose state folder is `home`."""
    where = home or Settings().home
    return Settings(_env_file=where / SETTINGS_FILE, home=where, **overrides)


def inherited_environment() -> dict[str, str]:
    """What a child process keeps of our environment: paths, language, proxies and our own settings."""
    return {name: text for name, text in os.environ.items() if name in INHERITED or name.startswith("NEPSE_")}


def origins(settings: Settings) -> dict[str, str]:
    """Say for each setting where its value comes from: environment, the home's file, or default."""
    file = settings.home / SETTINGS_FILE
    lines = file.read_text().splitlines() if file.exists() else []
    stored = {line.split("=", 1)[0].strip().upper() for line in lines}
    return {name: _origin(settings, name, stored) for name in Settings.model_fields}


def _origin(settings: Settings, name: str, stored: set[str]) -> str:
    if name != "home" and os.environ.get(f"NEPSE_{name.upper()}"):
        return "environment"
    if f"NEPSE_{name.upper()}" in stored:
        return SETTINGS_FILE
    default = Settings.model_fields[name].default
    return "default" if getattr(settings, name) == default else "command line"
