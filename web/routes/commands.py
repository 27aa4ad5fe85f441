"""Commands: the only endpoints that change anything. Each needs the token, and leaves a line in the log."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, Field

from events.fields import LONGEST_NAME
from events.payloads import AlertAcknowledged
from web import commands, problems
from web.problems import ConflictError
from web.routes.operations import alert_of, letter_of
from web.service import Here
from web.shapes_operations import Done


def _known(service: Here, authorization: Annotated[str | None, Header()] = None) -> None:
    """Refuse who has not the token."""
    commands.require_token(service.settings, authorization)


router = APIRouter(
    tags=["commands"],
    dependencies=[Depends(_known)],
    responses={code: {"model": problems.Problem} for code in (401, 403, 409)},
)


class Acknowledgement(BaseModel):
    """Who looks after an alert, and what they say about it."""

    by: str = Field(min_length=1, max_length=LONGEST_NAME)
    note: str | None = Field(None, max_length=1_000)


class Promotion(BaseModel):
    """Why a version is put into office."""

    reason: str = Field(min_length=1, max_length=1_000)


@router.post("/alerts/{alert_id}/acknowledge", status_code=202)
async def acknowledge(service: Here, alert_id: str, said: Acknowledgement) -> Done:
    """Say that somebody looks after an alert: it is not told again until it is over, or graver."""
    found = await asyncio.to_thread(alert_of, service, alert_id)
    if found["state"] != "open":
        message = f"this alert is {found['state']}: only an open one can be acknowledged"
        raise ConflictError(message)
    payload = AlertAcknowledged(rule=found["rule"], alert_id=alert_id, by=said.by, note=said.note)
    publish = service.acknowledgements.publish
    event_id = await asyncio.to_thread(publish, payload, found["raised_offset"], found["correlation_id"])
    commands.audit("acknowledge", by=said.by, alert_id=alert_id, event_id=event_id)
    return Done(message=f"acknowledged {found['rule']}")


@router.post("/letters/{letter_id}/redrive", status_code=202)
async def redrive(service: Here, letter_id: str) -> Done:
    """Have a dead letter tried again with today's code, by a Prefect run; its page tells what came of it."""
    found = await asyncio.to_thread(letter_of, service, letter_id)
    if found["resolved"]:
        message = "this letter went through already"
        raise ConflictError(message)
    start = commands.start_run
    url = await asyncio.to_thread(start, service.settings, "redrive/redrive", {"ids": [found["letter_id"]]})
    commands.audit("redrive", letter_id=letter_id, run=url)
    return Done(message="a run tries this letter again", url=url)


@router.post("/models/{version}/promote", status_code=202)
async def promote(service: Here, version: str, said: Promotion) -> Done:
    """Have a version put into office, by a Prefect run that first looks whether it can serve."""
    parameters = {"version": version, "reason": said.reason}
    url = await asyncio.to_thread(commands.start_run, service.settings, "promote/promote", parameters)
    commands.audit("promote", version=version, reason=said.reason, run=url)
    return Done(message=f"a run puts {version} into office if it can serve", url=url)
