"""What the endpoints share: the database for readers, the read side's version, kept answers."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy import Engine

from events.topics import TOPICS
from infra.database.connection import reading_engine
from infra.database.reads.progress import positions
from infra.settings import Settings
from tasks.projections import READ_SIDE
from web.answers import Answers
from web.commands import Acknowledgements
from web.skill_book import SkillBook
from web.version import Version

LINEAGES = 2
"""Lineages that are walked at a time: each has a Kafka client of its own."""


class Service:
    """One process's API; nothing connects before it is used."""

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        """Take the settings; tests hand in an engine of their own."""
        self.settings = settings
        self.engine = engine or reading_engine(settings)
        self.version = Version(lambda: positions(self.engine, READ_SIDE))
        self.skill = SkillBook(self.engine, lambda: self.version.offsets, lambda: self.version.epoch)
        self.walking = asyncio.Semaphore(LINEAGES)
        self.acknowledgements = Acknowledgements(settings)
        self.readers = 0
        """How many listen to the stream."""
        self._answers = Answers(self.version)

    async def answer(
        self, request: Request, topics: Iterable[str], make: Callable[[], Any], *more: object
    ) -> Response:
        """Answer a GET that depends on these topics. Raises as `Answers.give` does."""
        return await self._answers.give(request, topics, make, *more)


async def _of(request: Request) -> Service:  # else it would take its turn among the threads that make answers
    found = request.app.state.service
    assert isinstance(found, Service)  # noqa: S101 - it is what `create_app` put there
    return found


Here = Annotated[Service, Depends(_of)]
"""The service, for an endpoint's argument."""

EVERY_TOPIC = tuple(TOPICS)
