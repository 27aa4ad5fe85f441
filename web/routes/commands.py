"""Commands: the only endpoints that change anything. Each needs the token, and leaves a line in the log."""

import asyncio
from typing import Annotated
from unicodedata import category

from fastapi import APIRouter, Depends, Header
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

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


def _plain(text: str) -> str:
    """Refuse what can't be stored (NUL), or would change how what stands around it is shown.

    Joiners, which Devanagari needs, are no such characters.

    Raises:
        PydanticCustomError: with a sentence for who wrote it.
    """
    found = next((one for one in text if category(one) in {"Cc", "Cs", "Zl", "Zp"} or one in _TURNING), None)
    if found is not None:
        kind, message = (
            "control_character",
            "the control character {code} has no place here: write plain text",
        )
        raise PydanticCustomError(kind, message, {"code": f"U+{ord(found):04X}"})
    return text


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows."""
Plain = AfterValidator(_plain)


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Made once for what is wanted, and sent with each try: there is one run of it.",
    ),
]


class Acknowledgement(BaseModel):
    """Who looks after an alert, and what they say about it."""

    by: Annotated[str, Plain] = Field(min_length=1, max_length=LONGEST_NAME)
    note: Annotated[str, Plain] | None = Field(None, max_length=1_000)


class Promotion(BaseModel):
    """Why a version is put into office."""

    reason: Annotated[str, Plain] = Field(min_length=1, max_length=1_000)


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
async def redrive(service: Here, letter_id: str, key: Key = None) -> Done:
    """Have a dead letter tried again with today's code, by a Prefect run; its page tells what came of it."""
    found = await asyncio.to_thread(letter_of, service, letter_id)
    if found["resolved"]:
        message = "this letter went through already"
        raise ConflictError(message)
    start, parameters = commands.start_run, {"ids": [found["letter_id"]]}
    url = await asyncio.to_thread(start, service.settings, "redrive/redrive", parameters, key)
    commands.audit("redrive", letter_id=letter_id, run=url)
    return Done(message="a run tries this letter again", url=url)


@router.post("/models/{version}/promote", status_code=202)
async def promote(service: Here, version: str, said: Promotion, key: Key = None) -> Done:
    """Have a version put into office, by a Prefect run that first looks whether it can serve."""
    parameters = {"version": version, "reason": said.reason}
    start = commands.start_run
    url = await asyncio.to_thread(start, service.settings, "promote/promote", parameters, key)
    commands.audit("promote", version=version, reason=said.reason, run=url)
    return Done(message=f"a run puts {version} into office if it can serve", url=url)
