"""What a person should see of model versions: who serves, who waits, and what each training said."""

from typing import Any

from tasks.core.feature_sets import set_of
from tasks.core.naming import unknown
from tasks.core.offices import PERSISTENCE, Offices, Term

Row = dict[str, Any]
"""version, role, terms, rmse_skill (percent), mape (percent), feature_set, and the fields of ModelTrained."""

CHAMPION, CHALLENGER, NEWEST = "champion", "challenger", "newest"
FORMER, WAITING = "former champion", "never served"


def rows(offices: Offices) -> list[Row]:
    """Describe every version, persistence first, then in the order of their trainings; JSON types.

    Of trainings that share a name the newest is meant.
    """
    names = list(dict.fromkeys(one.version for one in offices.trainings))
    return [_persistence(offices), *(_row(offices, name) for name in names)]


def row(offices: Offices, version: str) -> Row | None:
    """Describe one version; None where nobody trained it."""
    return next((one for one in rows(offices) if one["version"] == version), None)


def why_unknown(offices: Offices, version: str) -> str:
    """Explain a version that nobody trained, with names that look alike."""
    known = [PERSISTENCE, *(one.version for one in offices.trainings)]
    return unknown("model version", version, known)


def _persistence(offices: Offices) -> Row:
    told = {
        "version": PERSISTENCE,
        "role": _role(offices, PERSISTENCE),
        "terms": _terms(offices, PERSISTENCE),
    }
    return told | {"why": "the next close is the last one; where no version may or can predict, it does"}


def _row(offices: Offices, version: str) -> Row:
    named = offices.newest(version)
    if named is None:
        message = f"{version} is no training's"
        raise ValueError(message)
    told = named.trained.model_dump(mode="json")
    extra = {
        "version": told.pop("model_version"),
        "role": _role(offices, version),
        "feature_set": set_of(named.trained.feature_set),
        "rmse_skill": _skill(told["performance"], told["baseline_performance"]),
        "mape": told["performance"].get("mape"),
        "terms": _terms(offices, version),
    }
    return extra | {name: value for name, value in told.items() if name not in extra}


def _role(offices: Offices, version: str) -> str:
    challenger, shadows = offices.challenger(), [one.version for one in offices.in_shadow()]
    if offices.champion.version == version:
        return CHAMPION
    if challenger is not None and challenger.version == version:
        return CHALLENGER
    if version in shadows:
        return NEWEST
    served = any(term.version == version for term in offices.terms)
    return FORMER if served else WAITING


def _skill(performance: dict[str, float], baseline: dict[str, float] | None) -> float | None:
    """By how many percent the root mean squared error of returns is lower than persistence's."""
    own, other = performance.get("rmse_return"), (baseline or {}).get("rmse_return")
    return round(100 * (1 - own / other), 2) if own is not None and other else None


def _terms(offices: Offices, version: str) -> list[Row]:
    return [_term(term) for term in offices.terms if term.version == version]


def _term(term: Term) -> Row:
    since = str(term.valid_from) if term.valid_from else None
    return {"entry": f"models-0@{term.at}", "valid_from": since, "reason": term.reason}
