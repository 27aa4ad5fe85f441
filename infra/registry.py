"""The model registry on MLflow: one version a trigger, the model file as a plain object on S3."""

import json
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from infra.artifact import digest
from infra.errors import RejectError
from infra.mlflow_access import client, found, guarded, made, put
from infra.pages import model_page
from infra.registry_run import ANNOUNCEMENT, EXPERIMENT, Logged, log_model, log_run
from infra.registry_types import Submission, Version, answer_tags
from infra.settings import Settings
from infra.store import Store

_log = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"
DESCRIPTION = 5_000
"""Characters that MLflow keeps of a version's description; `model_card.md` beside the run is whole."""
PAGE = "page"
"""The tag of a version, and of its run, that holds the address of its page of ours."""


class Registry:
    """Versions of one registered model (`settings.model_name`).

    Every method may raise TryAgainError (MLflow or the object store is away) and RejectError (what was asked
    for does not exist, or the server refuses it).
    """

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        """Remember where things are; the first call connects."""
        self._settings = settings
        self._store = Store(settings) if store is None else store

    @property
    def _client(self) -> Any:
        return client(self._settings.mlflow_ui)

    def register(self, submission: Submission) -> Version:
        """Register a version once per trigger; nobody is told of it, and no alias names it yet.

        A repeat returns the version that is there, whatever the new bytes are. What a killed attempt left (a
        run without version) is ended as killed; a version of a simultaneous attempt that lost the race is
        deleted. The version is created last and whole, so nobody sees half of one.
        """
        if found := self.answering([submission.trigger]):
            return found[0]
        self._create(submission)
        return self._settle(submission.trigger)

    def answering(self, triggers: Iterable[str]) -> list[Version]:
        """List the versions whose training answered any of these requests, oldest first."""
        wanted = list(triggers)
        return [version for version in self.versions() if any(map(version.answers, wanted))]

    def announcement(self, version: Version) -> dict[str, Any]:
        """Return what was to be said of a version; RejectError when it is not what was registered with it."""
        folder = version.artifact_location.rpartition("/")[0]
        data = self._store.get(f"{folder}/{ANNOUNCEMENT}")
        if digest(data) != version.tags.get("announcement_sha256"):
            message = f"the announcement of {version.name} is not the one that was registered"
            raise RejectError(message)
        said: dict[str, Any] = json.loads(data)
        return said

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

    def aliases(self) -> dict[str, str]:
        """Name the version behind each alias."""
        with guarded("read the aliases"):
            model = self._model()
        return {alias: f"v{number}" for alias, number in model.aliases.items()} if model is not None else {}

    def align(self, champion: str | None, challenger: str | None) -> None:
        """Let aliases name who serves and who waits; an alias of nobody, or of who is gone, is taken away.

        The models topic decides that; aliases are for people who look at MLflow's page. So are the links from
        there to our page of each version, which are seen to as well: a version has its name only then.
        """
        versions = self.versions()
        present, known = self.aliases(), {version.name for version in versions}
        for alias, name in ((CHAMPION, champion), (CHALLENGER, challenger)):
            wanted = name if name in known else None
            if wanted != present.get(alias):
                self._point(alias, wanted)
        self._link(versions)

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
            model = log_model(self._client, self._store, run, submission)
            self._client.create_model_version(
                self._settings.model_name,
                model.source,
                run_id=run.info.run_id,
                model_id=model.model_id,
                description=submission.report[:DESCRIPTION] or None,
                tags=_tags(submission, model),
                await_creation_for=0,  # MLflow's database store creates at once
            )
            self._client.set_terminated(run.info.run_id, "FINISHED")

    def _settle(self, trigger: str) -> Version:
        # Two executions of one flow run may register at the same time: numbers grow, so the lowest is first
        # for both of them, and whoever sees another one removes it.
        first, *late = (version for version in self.versions() if version.trigger == trigger)
        for version in late:
            with guarded(f"delete the double {version.name}"):
                self._delete(version)
        return first

    def _delete(self, version: Version) -> None:
        name, number = self._settings.model_name, str(version.number)
        found(lambda: self._client.delete_model_version(name, number))

    def _point(self, alias: str, name: str | None) -> None:
        model = self._settings.model_name
        with guarded(f"make {name or 'nobody'} the {alias}"):
            if name is None:
                found(lambda: self._client.delete_registered_model_alias(model, alias))
            else:
                put(lambda: self._client.set_registered_model_alias(model, alias, name.removeprefix("v")))

    def _link(self, versions: Iterable[Version]) -> None:
        """Let each version, and its run, name our page of it, where they do not yet and can."""
        for version in versions:
            page = model_page(self._settings, version.name)
            if version.tags.get(PAGE) != page:
                try:
                    with guarded(f"link {version.name} to its page"):
                        self._link_one(version, page)
                except RejectError as error:  # such as a run that people deleted: the others have links
                    _log.warning("%s has no link to its page: %s", version.name, error)

    def _link_one(self, version: Version, page: str) -> None:
        name, number = self._settings.model_name, str(version.number)
        head = f"[{version.name} on our page]("
        report = version.report.partition("\n\n")[2] if version.report.startswith(head) else version.report
        self._client.update_model_version(name, number, f"{head}{page})\n\n{report}"[:DESCRIPTION])
        if version.run_id:
            found(lambda: self._client.set_tag(version.run_id, PAGE, page))
        self._client.set_model_version_tag(name, number, PAGE, page)  # last: it says that all of it is there

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
            report=str(entry.description or ""),
            tags=tags,
        )


def _tags(submission: Submission, model: Logged) -> dict[str, str]:
    return {
        **submission.tags,
        **answer_tags(submission.triggers),
        "artifact_location": model.location,
        "sha256": digest(submission.data),
        "announcement_sha256": model.announcement_sha256,
        "trigger": submission.trigger,
        "promoted": str(submission.promoted).lower(),
        "why": submission.why[:1000],
        "training_start": str(submission.card.get("training_start", "")),
        "training_end": str(submission.card.get("training_end", "")),
    }
