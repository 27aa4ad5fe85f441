"""Where the read side stands, asked for all readers together: one query four times a second."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from infra.database.reads.progress import Positions
from infra.errors import TryAgainError

POLL_SECONDS = 0.25
AWAY_SECONDS = 1.0
ANSWER_SECONDS = 5.0
"""How long an answer is waited for: the database's own time-outs help nobody whose network swallows bytes."""
LONGEST_SECONDS = 30.0
"""The longest pause, after many failures that are faults of ours."""
CODE = version("nepse-loop")
NOT_ASKED = "the database was not asked yet: try again in a moment"
SLOW = f"the database did not answer within {ANSWER_SECONDS:.0f} s: try again in a moment"
FAULT = "a fault of the server: its log says more; it is tried again"
_log = logging.getLogger(__name__)


class Version:
    """The read side's next offsets, by which answers are named and changes are noticed.

    What the tables hold is a function of the offsets up to which topics were projected. So an answer that
    depends on some topics is as new as their offsets; whoever has one with the same offsets needs no other.
    Offsets only fall when the tables are made anew, maybe by other code: that begins another epoch, whose
    answers are others at the same offsets.
    """

    def __init__(self, read: Callable[[], Positions]) -> None:
        """Nothing is known before the first poll."""
        self._read = read
        self._trouble: str | None = NOT_ASKED
        self._faults = 0
        self._asker = ThreadPoolExecutor(1, "offsets")
        self._question: asyncio.Future[Positions] | None = None
        self.epoch = time.time_ns()
        """When the tables were last seen to be made anew, or this process began: nanoseconds."""
        self.news = asyncio.Event()
        """Set at the next change; take it before looking, so that none is missed."""
        self._offsets: Positions = {}

    @property
    def offsets(self) -> Positions:
        """Next offset by (topic, partition).

        Raises:
            TryAgainError: the database is away.
        """
        if self._trouble is not None:
            raise TryAgainError(self._trouble)
        return self._offsets

    def tag(self, topics: Iterable[str], *more: object) -> str:
        """Name the state of these topics (and of what else an answer depends on); raises as `offsets`."""
        wanted = set(topics)
        told = sorted((place, at) for place, at in self.offsets.items() if place[0] in wanted)
        return hashlib.sha256(repr((CODE, self.epoch, told, more)).encode()).hexdigest()[:20]

    def by_topic(self) -> dict[str, int]:
        """Sum the offsets of each topic's partitions: it grows with whatever is projected."""
        sums: dict[str, int] = {}
        for (topic, _), offset in self.offsets.items():
            sums[topic] = sums.get(topic, 0) + offset
        return sums

    async def follow(self) -> None:
        """Poll until cancelled, whatever happens; after a failure less often."""
        while True:
            await self.poll()
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Give the seconds until the next question: a fault of ours is asked about ever less often."""
        if self._trouble is None:
            return POLL_SECONDS
        return min(LONGEST_SECONDS, AWAY_SECONDS * 2.0 ** min(self._faults, 10))

    async def poll(self) -> None:
        """Ask once, and wake up whoever waits if something is different."""
        before = (self._trouble, self._offsets)
        try:
            self._take(await self._answer())
        except TimeoutError:
            self._trouble = SLOW
        except TryAgainError as error:
            self._trouble = str(error)
        except Exception:  # noqa: BLE001  (whatever it is: without the next question nobody would get an answer)
            self._trouble, self._faults = FAULT, self._faults + 1
            _log.exception("the read side's offsets are not known, for the %d. time", self._faults)
        if (self._trouble, self._offsets) != before:
            told, self.news = self.news, asyncio.Event()
            told.set()

    async def _answer(self) -> Positions:
        """Ask, or go on waiting for the question that is still open: there is never more than one.

        Raises:
            TimeoutError: nothing was answered in time.
            Exception: what the question raises.
        """
        if self._question is None:
            self._question = asyncio.get_running_loop().run_in_executor(self._asker, self._read)
        question = self._question
        try:
            async with asyncio.timeout(ANSWER_SECONDS):  # Python 3.11's `wait_for` may swallow a cancellation
                return await asyncio.shield(question)
        finally:
            if question.done():
                self._question = None

    async def settle(self) -> None:
        """Wait for a question that is still open, as long as for any answer: its connection is given back."""
        if self._question is not None:
            await asyncio.wait({self._question}, timeout=ANSWER_SECONDS)

    def _take(self, offsets: Positions) -> None:
        if any(offsets.get(place, 0) < at for place, at in self._offsets.items()):
            self.epoch = time.time_ns()
        self._offsets, self._trouble, self._faults = offsets, None, 0


async def happened(news: asyncio.Event, within: float) -> bool:
    """Wait for an event, at most so many seconds; tells whether it came."""
    try:
        async with asyncio.timeout(within):
            await news.wait()
    except TimeoutError:
        return False
    return True
