"""People are told of a database that stands still, which answers nothing and refuses nothing."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from events.payloads import AlertRaised
from infra.bootstrap import Loop
from infra.errors import TryAgainError
from infra.settings import Settings, load_settings
from tasks.core.alert_life import Key
from tasks.telling import deliver
from tasks.watcher import PRODUCER, Watcher
from tests.copies import eventually
from tests.desk import Desk
from tests.faults.parts import Parts
from tests.receivers import Webhook, webhook

pytestmark = pytest.mark.stack

LOOKS_SECONDS = 60.0
"""Bound for three looks: eight seconds for the first question, five for each look at the server."""
AWAY = Key("server_away", (("server", "postgres"),))
RULES = """
rules:
  - {name: errs, about: errors, measure: abs_error, statistic: max, above: 1, over: 1 sessions}
  - {name: letters, about: dead_letters, measure: letters, above: 0, over: 1h, by: [flow]}
  - {name: server_away, about: server, measure: seconds, above: 15, by: [server], severity: critical}
"""
BEGAN = datetime(2024, 3, 4, 9, tzinfo=UTC)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    """Who is told."""
    with webhook() as found:
        yield found


@pytest.fixture
def loop(own_servers: Settings, tmp_path: Path, hook: Webhook) -> Iterator[Loop]:
    """The adapters of the watch, whose rules ask the database before they look at servers."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    made = load_settings(own_servers.home, alert_rules=file, notify_channels={"hook": SecretStr(hook.url())})
    loop = Loop(made).impatient()
    yield loop
    loop.close()


def at(seconds: float) -> datetime:
    """Some seconds after the first look."""
    return BEGAN + timedelta(seconds=seconds)


def test_a_database_that_hangs_is_told_of(loop: Loop, hook: Webhook) -> None:
    """Once, soon, while it hangs; the event is on the topic, and what was told is noted when it is back."""
    parts, watcher = Parts(), Watcher(loop)
    parts.settings = loop.settings
    assert watcher.look(at(0)).changes == ()
    deliver(loop, at(0))
    with parts.hung("postgres"):
        began = time.monotonic()
        looked = [watcher.look(at(seconds)) for seconds in (5, 15, 30)]
        assert time.monotonic() - began < LOOKS_SECONDS
        assert [len(one.changes) for one in looked] == [0, 0, 1]
        assert looked[-1].standing == (AWAY,)
        [body] = hook.bodies
        assert "postgres" in body
    eventually(lambda: delivers(loop, at(120)), "the note of what was told", LOOKS_SECONDS)
    watcher.look(at(121))
    deliver(loop, at(240))
    watcher.close()
    assert len([body for body in hook.bodies if "postgres" in body]) == 1
    assert raised(loop) == [{"server": "postgres"}]


def delivers(loop: Loop, now: datetime) -> bool:
    """Deliver what is due; tells whether the database was there."""
    try:
        deliver(loop, now)
    except TryAgainError:
        return False
    return True


def raised(loop: Loop) -> list[dict[str, str] | None]:
    """List the labels of what was raised on the topic."""
    desk = Desk(loop.settings)
    desk.flow = PRODUCER
    try:
        found = [one.payload for one in desk.made("alerts")]
    finally:
        desk.close()
    return [one.labels for one in found if isinstance(one, AlertRaised) and one.rule == AWAY.rule]
