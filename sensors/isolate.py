"""Giving up on the one record that makes its flow fail: it becomes a dead letter, the loop goes on."""

from contextlib import suppress
from traceback import format_tb

from kafka import TopicPartition

from events.payloads import OffsetRange
from infra.database import connection, refused
from infra.errors import TryAgainError
from infra.kafka import scanning
from infra.kafka.letters import TOPIC
from infra.kafka.pool import Pool
from infra.kafka.records import Run
from infra.kafka.slices import open_slice
from infra.settings import Settings
from infra.stack.flows_host import SERVERS
from infra.stack.parts import plan
from infra.stack.status import answers
from infra.wiring import Route
from sensors.dispatch import Result
from sensors.failures import chain_of

MESSAGE_CHARACTERS = 200
"""A failure's message is cut so short in its traceback: the whole of it is in the letter's reason."""


def give_up(settings: Settings, route: Route, ranges: list[OffsetRange], result: Result) -> None:
    """Commit the slice with its records as dead letters, under the flow's own group and id.

    What failed attempts left of them in the flow's private state must not count from then on. That is noted
    as intended before the commit and confirmed after it; where this process ends in between, the flow's next
    slice looks whether the letters are there.
    """
    database = connection.engine(settings)
    pool = Pool(settings)
    try:
        with open_slice(pool, Run(route.flow, result.run_id), ranges) as work:
            if work.done:
                return
            work.refuse(result.why, result.error, traceback_of(result.error))
            refused.intend(database, route.flow, work.refused, _letters_end(pool, route.flow))
            work.commit()
            with suppress(TryAgainError):  # it is committed: the next slice finds that out
                refused.confirm(database, route.flow, work.refused)
    finally:
        pool.close()


def _letters_end(pool: Pool, flow: str) -> int:
    """Tell an offset that no letter still to be committed lies before."""
    with pool.reader(flow) as looking:
        return scanning.ends(looking, [TopicPartition(TOPIC, 0)])[TOPIC, 0]


def servers_away(settings: Settings) -> str:
    """Name the servers that do not answer now; empty when all do."""
    found = [part.name for part in plan(settings) if part.name in SERVERS and not answers(settings, part)]
    return f"{', '.join(found)} away" if found else ""


def traceback_of(error: BaseException | None) -> str:
    """Tell where a failure came from: what led to it first, so that its own last lines are at the end."""
    chain = list(chain_of(error)) if error else []
    return "\n".join(
        f"{''.join(format_tb(one.__traceback__))}{type(one).__name__}: {str(one)[:MESSAGE_CHARACTERS]}"
        for one in reversed(chain)
    )
