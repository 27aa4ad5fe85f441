"""`python -m bench readers`: many readers of the API at a request a second each, over three years.

On a Postgres and an API of its own. News come once a second meanwhile, so that few answers were made before;
readers send an ETag back where they have one, as browsers do.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import numpy as np
import psutil

from bench.processes import say
from bench.readers_rows import ReadSide
from bench.servers import servers
from infra.database.connection import engine
from infra.settings import Settings
from infra.stack import state

PARTS = ("postgres", "web")
SESSIONS, SYMBOLS = 750, 300
WARM_SECONDS = 3.0
"""Seconds of asking that are not counted: what a process does once, it does then."""
PATIENCE = 30.0
IDLE_SECONDS = 2.0
"""A connection that rested longer is not used again: the server is about to close it (uvicorn: after 5 s)."""
MS = 1_000


class Sizes(NamedTuple):
    """How many ask, for how long (seconds), over how many sessions of how many symbols."""

    readers: int
    seconds: float
    sessions: int = SESSIONS
    symbols: int = SYMBOLS


@dataclass
class Figures:
    """What was measured, as JSON types; milliseconds."""

    sizes: dict[str, float]
    rows: int = 0
    news: int = 0
    answers: dict[str, dict[str, float]] = field(default_factory=dict)
    """By endpoint: how many, how many of them 304, p50, p95, p99, and the mean number of bytes."""
    cpu: dict[str, float] = field(default_factory=dict)
    """Share of one processor, by process."""


class Answer(NamedTuple):
    """An answer: how long it took (seconds), its status and its size."""

    seconds: float
    status: int
    size: int


Paths = Callable[[str], str]
"""An endpoint's address for a symbol."""
MIX: dict[str, tuple[int, Paths]] = {
    "predictions of a session": (20, lambda _: "predictions?limit=500"),
    "a symbol": (15, lambda symbol: f"symbols/{symbol}"),
    "predictions of a symbol": (10, lambda symbol: f"predictions?symbol={symbol}&limit=250"),
    "closes of a symbol": (10, lambda symbol: f"actuals?symbol={symbol}&limit=250"),
    "errors of a symbol": (10, lambda symbol: f"errors?symbol={symbol}&limit=250"),
    "errors of a session": (5, lambda _: "errors?limit=500"),
    "leaderboard of symbols": (4, lambda _: "leaderboard?sessions=20"),
    "leaderboard of versions": (2, lambda _: "leaderboard?by=model&sessions=60"),
    "versions": (4, lambda _: "models"),
    "skill of a version": (4, lambda _: "models/v1/skill"),
    "symbols": (3, lambda _: "symbols"),
    "pipeline": (5, lambda _: "pipeline"),
    "alerts": (5, lambda _: "alerts?state=open"),
    "dead letters": (2, lambda _: "letters"),
    "health": (1, lambda _: "health"),
}
"""What readers ask for, how often in a hundred, by the pages that they look at."""


def measure(sizes: Sizes) -> Figures:
    """Fill a read side, then ask for what it holds."""
    figures = Figures(sizes._asdict())
    with servers(*PARTS) as settings:
        say(f"filling {sizes.sessions} sessions of {sizes.symbols} symbols")
        side = ReadSide(settings, engine(settings), sizes.sessions, sizes.symbols)
        figures.rows = side.fill()
        say(f"{sizes.readers} readers ask for {sizes.seconds:g} s")
        answers, figures.cpu = asyncio.run(_ask(settings, side, sizes))
    figures.answers = {name: summed(found) for name, found in answers.items()}
    figures.news = side.news
    return figures


async def _ask(
    settings: Settings, side: ReadSide, sizes: Sizes
) -> tuple[dict[str, list[Answer]], dict[str, float]]:
    """Let all readers ask, and news come, until the time is over.

    Raises:
        SystemExit: something was answered that is no answer.
    """
    found: dict[str, list[Answer]] = defaultdict(list)
    limits = httpx.Limits(max_keepalive_connections=sizes.readers, keepalive_expiry=IDLE_SECONDS)
    async with httpx.AsyncClient(
        base_url=f"{settings.web_ui}/api/v1", limits=limits, timeout=PATIENCE
    ) as client:
        await _until_filled(client)
        end = time.monotonic() + WARM_SECONDS + sizes.seconds
        readers = [Reader(client, side.symbols, seed, found) for seed in range(sizes.readers)]
        tasks = [asyncio.create_task(one.read(end)) for one in readers]
        tasks.append(asyncio.create_task(_news(side, end)))
        await asyncio.sleep(WARM_SECONDS)
        found.clear()
        with _watched(settings, cpu := {}):
            await asyncio.gather(*tasks)
    if wrong := {
        name: one.status for name, every in found.items() for one in every if one.status not in {200, 304}
    }:
        message = f"no answers: {wrong}"
        raise SystemExit(message)
    return found, cpu


async def _until_filled(client: httpx.AsyncClient) -> None:
    """Wait until the API has seen what was filled in, and has summed all errors once."""
    for path in ("health", "predictions?limit=1", "leaderboard?by=model"):
        async with asyncio.timeout(PATIENCE):
            while (await client.get(path)).status_code != httpx.codes.OK:  # noqa: ASYNC110  (another process)
                await asyncio.sleep(0.1)


async def _news(side: ReadSide, end: float) -> None:
    while time.monotonic() < end:
        await asyncio.to_thread(side.bring_news)
        await asyncio.sleep(1)


class Reader:
    """Asks for something once a second, from a moment of its own on."""

    def __init__(
        self, client: httpx.AsyncClient, symbols: list[str], seed: int, found: dict[str, list[Answer]]
    ) -> None:
        """Nothing was asked yet; what is found is put into `found` by endpoint."""
        self._client, self._symbols, self._found = client, symbols, found
        self._chance = random.Random(seed)  # noqa: S311  (no secret)
        self._tags: dict[str, str] = {}

    async def read(self, end: float) -> None:
        """Ask until then; who is answered late asks again at once, and not more often."""
        due = time.monotonic() + self._chance.random()
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._ask()
            due += 1

    async def _ask(self) -> None:
        (name,) = self._chance.choices(list(MIX), [weight for weight, _ in MIX.values()])
        path = MIX[name][1](quote(self._chance.choice(self._symbols), safe=""))
        headers = {"if-none-match": self._tags[path]} if path in self._tags else {}
        began = time.perf_counter()
        answer = await self._client.get(path, headers=headers)
        self._found[name].append(Answer(time.perf_counter() - began, answer.status_code, len(answer.content)))
        if tag := answer.headers.get("etag"):
            self._tags[path] = tag


@contextmanager
def _watched(settings: Settings, found: dict[str, float]) -> Iterator[None]:
    """Note what share of a processor each part and this process needed in the block."""
    known = state.read_state(settings.home)
    if known is None:
        message = "the stack is not running"
        raise SystemExit(message)
    mains = {name: known.parts[name].pid for name in PARTS} | {"the readers themselves": None}
    before, began = {name: spent(pid) for name, pid in mains.items()}, time.perf_counter()
    yield
    seconds = time.perf_counter() - began
    found.update({name: (spent(pid) - before[name]) / seconds for name, pid in mains.items()})


def spent(pid: int | None) -> float:
    """Sum the processor seconds of a process (without a number: this one) and of its children."""
    main = psutil.Process(pid)
    children = main.children(recursive=True) if pid else []
    return sum(sum(one.cpu_times()[:2]) for one in [main, *children])


def summed(answers: list[Answer]) -> dict[str, float]:
    """Sum answers up: how many, how many of them 304, percentiles (ms), mean bytes of a whole body."""
    times = [one.seconds * MS for one in answers]
    whole = [one.size for one in answers if one.status == httpx.codes.OK]
    p50, p95, p99 = (float(np.percentile(times, level)) for level in (50, 95, 99))
    told: dict[str, Any] = {"count": len(answers), "kept": len(answers) - len(whole)}
    return told | {"p50": p50, "p95": p95, "p99": p99, "bytes": float(np.mean(whole)) if whole else 0.0}
