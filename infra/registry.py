"""The model registry on MLflow: one version a trigger, the model file as a plain object on S3."""

from typing import Any
from urllib.parse import quote

from infra.artifact import digest
from infra.errors import RejectError
from infra.mlflow_access import client, found, guarded, made, put
from infra.registry_run import EXPERIMENT, log_model, log_run
from infra.registry_types import Submission, Version
from infra.settings import Settings
from infra.store import Store

CHAMPION, CHALLENGER = "champion", "challenger"


class Registry:
    """Versions of one registered model (`settings.model_name`).

    Every method may raise TryAgainError (MLflow or the object store is away) and RejectError (what was asked
    for does not exist, or the server refuses it).
    """

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        """Remember where things are; the first call connects."""
        self._settings = settings
        self._store = store or Store(settings)

    @property
    def _client(self) -> Any:
        return client(self._settings.mlflow_ui)

    def register(self, submission: Submission) -> Version:
        """Register a version once per trigger, and give it its alias.

        A repeat returns the version that is there, whatever the new bytes are. What a killed attempt left (a
        run without version) is ended as killed; a version of a simultaneous attempt that lost the race is
        deleted. The version is created last and whole, so nobody sees half of one.
        """
        version = self.find(submission.trigger)
        if version is None:
            self._create(submission)
            version = self._settle(submission.trigger)
        self._alias(version)
        return version

    def find(self, trigger: str) -> Version | None:
        """Return the version that a trigger led to, None when there is none yet."""
        return next((version for version in self.versions() if version.trigger == trigger), None)

    def versions(self) -> list[Version]:
        """List all versions, oldest first."""
        with guarded("list the versions"):
            entries = self._client.search_model_versions(f"name = '{self._settings.model_name}'")
        return sorted(map(self._version, entries), key=lambda version: version.number)

    def get(self, name: str) -> Version:
        """Return a version by its name (`v12`); RejectError when there is none."""
        number = name.removeprefix("v")
        if not name.startswith("v") or not number.isdecimal():
            message = f"not the name of a model version: {name!r}"
            raise RejectError(message)
        with guarded(f"find model version {name}"):
            return self._version(self._client.get_model_version(self._settings.model_name, str(int(number))))

    def champion(self) -> Version | None:
        """Return the version that serves, None before the first promotion."""
        number = self._aliases().get(CHAMPION)
        return self.get(f"v{number}") if number else None

    def set_champion(self, name: str) -> Version:
        """Let a version serve (promotion or rollback)."""
        version = self.get(name)
        self._point(CHAMPION, version)
        return version

    def fetch(self, version: Version) -> bytes:
        """Return the model file; RejectError when it is gone or not the one that was registered."""
        data = self._store.get(version.artifact_location)
        if digest(data) != version.sha256:
            message = f"the model file of {version.name} is not the one that was registered"
            raise RejectError(message)
        return data

    def url(self, version: Version) -> str:
        """Link to the version in MLflow's page."""
        return self._url(version.number)

    def run_url(self, version: Version) -> str:
        """Link to the training's run in MLflow's page."""
        with guarded("find the run"):
            experiment = self._client.get_run(version.run_id).info.experiment_id
        return f"{self._settings.mlflow_ui}/#/experiments/{experiment}/runs/{version.run_id}"

    def _create(self, submission: Submission) -> None:
        with guarded("register a model version"):
            self._ensure_model()
            run = log_run(self._client, self._store, self._experiment(), submission)
            location, source, model_id = log_model(self._client, self._store, run, submission)
            self._client.create_model_version(
                self._settings.model_name,
                source,
                run_id=run.info.run_id,
                model_id=model_id,
                description=submission.report or None,
                tags=_tags(submission, location),
                await_creation_for=0,  # MLflow's database store creates at once
            )
            self._client.set_terminated(run.info.run_id, "FINISHED")

    def _settle(self, trigger: str) -> Version:
        # Two executions of one flow run may register at the same time: numbers grow, so the lowest is first
        # for both of them, and whoever sees another one removes it.
        mine = [version for version in self.versions() if version.trigger == trigger]
        for late in mine[1:]:
            with guarded(f"delete the double {late.name}"):
                self._delete(late)
        return mine[0]

    def _delete(self, version: Version) -> None:
        name, number = self._settings.model_name, str(version.number)
        found(lambda: self._client.delete_model_version(name, number))

    def _alias(self, version: Version) -> None:
        """Give a new version its alias once: a repeat must not undo what was decided since."""
        if "aliased" in version.tags:
            return
        alias = CHAMPION if version.promoted else CHALLENGER
        if int(self._aliases().get(alias, 0)) < version.number:
            self._point(alias, version)
        with guarded(f"tag {version.name}"):
            name, number = self._settings.model_name, str(version.number)
            put(lambda: self._client.set_model_version_tag(name, number, "aliased", alias))

    def _point(self, alias: str, version: Version) -> None:
        with guarded(f"make {version.name} the {alias}"):
            name, number = self._settings.model_name, str(version.number)
            put(lambda: self._client.set_registered_model_alias(name, alias, number))

    def _aliases(self) -> dict[str, str]:
        with guarded("read the aliases"):
            model = self._model()
        return dict(model.aliases) if model is not None else {}

    def _model(self) -> Any:
        return found(lambda: self._client.get_registered_model(self._settings.model_name))

    def _ensure_model(self) -> None:
        name = self._settings.model_name
        about = "Next session's close of NEPSE shares; each version's description is its model card."
        made(lambda: self._client.create_registered_model(name, description=about), self._model)

    def _experiment(self) -> str:
        location = f"s3://{self._settings.models_bucket}/{EXPERIMENT}"
        experiment = made(
            lambda: self._client.create_experiment(EXPERIMENT, artifact_location=location),
            lambda: self._client.get_experiment_by_name(EXPERIMENT),
        )
        return str(experiment.experiment_id)

    def _url(self, number: int) -> str:
        name = quote(self._settings.model_name, safe="")
        return f"{self._settings.mlflow_ui}/#/models/{name}/versions/{number}"

    def _version(self, entry: Any) -> Version:
        number, tags = int(entry.version), dict(entry.tags)
        return Version(
            name=f"v{number}",
            number=number,
            artifact_location=tags.get("artifact_location", ""),
            sha256=tags.get("sha256", ""),
            run_id=str(entry.run_id or ""),
            url=self._url(number),
            trigger=tags.get("trigger", ""),
            promoted=tags.get("promoted") == "true",
            training_start=tags.get("training_start", ""),
            training_end=tags.get("training_end", ""),
            tags=tags,
        )


def _tags(submission: Submission, location: str) -> dict[str, str]:
    return {
        **submission.tags,
        "artifact_location": location,
        "sha256": digest(submission.data),
        "trigger": submission.trigger,
        "promoted": str(submission.promoted).lower(),
        "why": submission.why[:1000],
        "training_start": str(submission.card.get("training_start", "")),
        "training_end": str(submission.card.get("training_end", "")),
    }
