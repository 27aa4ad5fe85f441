"""Endpoints about model versions: what was trained, who serves, and how good they were."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from events.payloads import PAYLOADS, ModelTrained, Payload
from infra.database.reads import intervals, models, shadows, skill
from infra.errors import RejectError
from tasks.core import versions
from tasks.core.lineage import model_url
from tasks.core.offices import Offices, without_repeats
from web import items, shapes
from web import shapes_models as told
from web.service import Here, Service
from web.skill_book import Key

router = APIRouter(tags=["models"])

TOPICS = ("models", "errors")
USUAL = 60
RECENT = 20
"""Sessions that are measured together, where skill is told over time."""
Said = tuple[int, Payload, datetime]
"""An offset of the models topic, what was said there, and when."""
Sessions = Annotated[int, Query(ge=1, le=250, description="Over how many of the newest sessions.")]


@router.get("/models", response_model=shapes.Listing[told.Model])
async def list_models(service: Here, request: Request) -> Response:
    """List every version, the newest first, with what its training said and how it did since."""
    return await service.answer(
        request, TOPICS, lambda: {"items": _models(service, service.skill.read()), "next": None}
    )


@router.get("/models/{version}", response_model=told.Model)
async def show_model(service: Here, request: Request, version: str) -> Response:
    """Tell of one version."""

    def make() -> Any:
        every = _models(service, service.skill.read())
        found = next((one for one in every if one["model_version"] == version), None)
        if found is None:
            raise RejectError(versions.why_unknown(_offices(_said(service)), version))
        return found

    return await service.answer(request, TOPICS, make)


@router.get("/models/{version}/skill", response_model=told.Skill)
async def show_skill(service: Here, request: Request, version: str) -> Response:
    """Tell how a version did on each session, oldest first, beside persistence on the same pairs."""

    def make() -> Any:
        sums = {day: one for (day, name), one in service.skill.read().items() if name == version}
        lines = [line | recent for line, recent in zip(_by_session(sums), _recent(sums), strict=True)]
        return {"model_version": version, "overall": items.measured(sums.values()), "items": lines}

    return await service.answer(request, ("errors",), make)


@router.get("/models/{version}/calibration", response_model=told.Calibration)
async def show_calibration(
    service: Here, request: Request, version: str, sessions: Sessions = USUAL
) -> Response:
    """Tell where the closes of a version's newest sessions fell within its intervals."""
    return await service.answer(
        request,
        ("predictions", "errors"),
        lambda: {
            "model_version": version,
            **items.calibration(intervals.fallen(service.engine, version, sessions)),
        },
    )


@router.get("/models/{version}/shadow", response_model=told.Shadow)
async def show_shadow(service: Here, request: Request, version: str, sessions: Sessions = USUAL) -> Response:
    """Tell how a version did in shadow, session by session (oldest first), beside what was served."""

    def make() -> Any:
        sums = shadows.daily(service.engine, version, sessions)
        overall = items.measured(sums.values())
        return {"model_version": version, "overall": overall, "items": _by_session(sums)}

    return await service.answer(request, ("shadows", "errors"), make)


@router.get("/leaderboard", response_model=told.Leaderboard)
async def show_leaderboard(
    service: Here,
    request: Request,
    by: Literal["symbol", "model"] = "symbol",
    sessions: Sessions = 20,
) -> Response:
    """Rank symbols over the newest sessions, or versions over theirs, by skill."""

    def make() -> Any:
        sums: dict[str, list[skill.Sums]] = defaultdict(list)
        if by == "symbol":
            sums.update({name: [one] for name, one in skill.by_symbol(service.engine, sessions).items()})
        else:
            for (_, name), one in _newest(service.skill.read(), sessions).items():
                sums[name].append(one)
        lines = [{"name": name, **items.measured(some)} for name, some in sums.items()]
        return {"by": by, "sessions": sessions, "items": sorted(lines, key=_rank)}

    return await service.answer(request, ("errors",), make)


def _by_session(sums: Mapping[date, Iterable[float]]) -> list[items.Item]:
    return [{"date": day, **items.measured([sums[day]])} for day in sorted(sums)]


def _recent(sums: Mapping[date, skill.Sums]) -> list[items.Item]:
    """Measure each session together with those before it: what one session says is mostly chance."""
    every = [sums[day] for day in sorted(sums)]
    spans = (every[max(0, at - RECENT) : at] for at in range(1, len(every) + 1))
    measured = [items.measured(span) for span in spans]
    return [{"recent_skill": one["skill"], "recent_coverage_95": one["coverage_95"]} for one in measured]


def _newest(sums: Mapping[Key, skill.Sums], sessions: int) -> dict[Key, skill.Sums]:
    """Keep the newest sessions."""
    days = set(sorted({day for day, _ in sums})[-sessions:])
    return {key: one for key, one in sums.items() if key[0] in days}


def _rank(line: items.Item) -> tuple[bool, float, str]:
    known = line["skill"] is not None
    return (not known, -line["skill"] if known else 0.0, line["name"])


def _models(service: Service, sums: Mapping[Key, skill.Sums]) -> list[items.Item]:
    """Describe every version, persistence last: what was said of it, and how it did since."""
    of: dict[str, list[skill.Sums]] = defaultdict(list)
    for (_, version), summed in sums.items():
        of[version].append(summed)
    said = _said(service)
    trained = {
        one.model_version: when
        for _, one, when in without_repeats(said, lambda entry: entry[1])
        if isinstance(one, ModelTrained)
    }
    described = versions.rows(_offices(said))
    return [_model(service, one, of[one["version"]], trained) for one in reversed(described)]


def _said(service: Service) -> list[Said]:
    """Read what was said of versions, oldest first."""
    return [
        (row["offset"], PAYLOADS[row["event_type"]].model_validate(row["payload"]), row["timestamp"])
        for row in models.told(service.engine)
    ]


def _offices(said: Iterable[Said]) -> Offices:
    return Offices((at, one) for at, one, _ in said)


def _model(
    service: Service, told_of: items.Item, sums: list[skill.Sums], trained: dict[str, datetime]
) -> items.Item:
    settings, version = service.settings, told_of.pop("version")
    return {
        "model_version": version,
        "role": told_of.pop("role"),
        "terms": told_of.pop("terms"),
        "trained_at": trained.get(version),
        "training": told_of,
        "measured": items.measured(sums),
        "mlflow": model_url(settings.mlflow_ui, settings.model_name, version),
    }
