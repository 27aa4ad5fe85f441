"""On a running stack whoever looks sees what goes wrong, and people are told of it, within seconds."""

import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bench.alerts import breach
from events.payloads import PredictionExpired
from infra.bootstrap import Loop
from infra.database import outbox
from infra.settings import Settings
from infra.stack import state
from infra.stack.status import LAGGING_SECONDS
from tasks.core.oddities import Oddities
from tasks.core.simulator import write_market
from tasks.telling import WINDOW
from tests.acceptance.seeing import BUSY, Listener, Tail, asked, measured, once, publish, shocked
from tests.acceptance.told_page import write
from tests.conftest import nepse, running_stack
from tests.receivers import Webhook, webhook
from tests.stacks import UNTRAINED, settle

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

PARTS = json.dumps([*json.loads(UNTRAINED["NEPSE_PARTS"]), "web"])
RULES = Path(__file__).parents[2] / "tasks" / "core" / "alert_rules.yaml"
PAST, SYMBOLS, SHOCK = 40, 24, 1.09
SHOCK_SECONDS, STANDSTILL_SECONDS, OVER_SECONDS = 5.0 * BUSY, 30.0 * BUSY, 60.0 * BUSY
STORM, MESSAGES = 10_000, 5
WAITED = "nepse_watched_lag_seconds"
PATIENCE = 240.0


@dataclass
class Stage:
    """A running stack, those who look at it, and what was measured."""

    settings: Settings
    hook: Webhook
    tail: Tail
    listener: Listener
    figures: dict[str, float] = field(default_factory=dict)

    def told(self, text: str, since: int) -> float | None:
        """Tell when the channel got a text, among the messages behind the first `since`."""
        heard = list(zip(self.hook.times, self.hook.bodies, strict=False))
        return next((at for at, body in heard[since:] if text in body), None)

    def await_told(self) -> None:
        """Wait until all that there is was told."""
        loop = Loop(self.settings)
        once(lambda: not outbox.waiting(loop.database), PATIENCE)
        loop.close()

    def await_calm(self) -> None:
        """Wait until the channel may be told something at once, and not in the digest of a minute."""
        self.await_told()
        window = WINDOW.total_seconds() + 2
        once(lambda: not self.hook.times or time.time() > self.hook.times[-1] + window, PATIENCE)


@pytest.fixture(scope="module")
def stage(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stack, and who looks; at the end the figures are printed, and written where that is asked for."""
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text(
        RULES.read_text().replace("name: lagging_seconds\n", "name: lagging_seconds\n    channels: [lag]\n")
    )
    with webhook() as hook:
        channels = json.dumps({"hook": hook.url(), "lag": hook.url()})
        kept = UNTRAINED | {"NEPSE_PARTS": PARTS, "NEPSE_NOTIFY_CHANNELS": channels}
        kept["NEPSE_ALERT_RULES"] = str(rules)
        with running_stack(**kept) as settings:
            found = Stage(settings, hook, Tail(settings, "errors", "alerts"), Listener(settings))
            found.tail.start()
            found.listener.start()
            yield found
            found.tail.close()
            found.listener.close()
    sys.stdout.write("".join(f"\n{name}: {value:.2f}" for name, value in found.figures.items()) + "\n")
    if report := pytestconfig.getoption("told_report"):
        write(Path(report), found.figures)


@pytest.fixture(scope="module")
def session(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, date, Path]:
    """A history that is loaded, and the next session's file in which a share's price jumps."""
    folder = tmp_path_factory.mktemp("shock")
    market = dict(
        write_market(sessions=PAST + 1, symbols=SYMBOLS, seed=29, daily=1, oddities=Oddities.none())
    )
    (folder / "history.parquet").write_bytes(market["history.parquet"])
    [name] = [name for name in market if name.startswith("daily/")]
    symbol, data = shocked(market[name], SHOCK)
    file = folder / Path(name).name
    file.write_bytes(data)
    ingest(stage.settings, folder / "history.parquet")
    settle(stage.settings)
    return symbol, date.fromisoformat(file.stem.replace("_", "-")), file


def ingest(settings: Settings, file: Path) -> None:
    """Hand a file in, as a person does."""
    done = nepse("ingest", "--home", str(settings.home), str(file), within=200)
    assert done.returncode == 0, done.stderr


def test_a_price_shock_is_seen_and_told(stage: Stage, session: tuple[str, date, Path]) -> None:
    """On the topic, by the channel, on the page and as a metric, each within seconds of the error's event."""
    symbol, day, file = session
    stage.await_calm()
    since, messages = len(stage.tail.seen), len(stage.hook.bodies)
    before = _counted(stage.settings)
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(once, lambda: _counted(stage.settings) > before, PATIENCE, 0.2)
        ingest(stage.settings, file)
    about = {"symbol": symbol, "date": str(day)}
    raised = {**about, "rule": "abs_error", "event_type": "AlertRaised"}
    once(lambda: stage.tail.first("alerts", since, **raised), PATIENCE)
    alert = stage.tail.first("alerts", since, **raised)
    error = stage.tail.first("errors", since, **about, event_type="ErrorComputed")
    assert alert
    assert error
    once(lambda: stage.told(f"{symbol} on {day}", messages), PATIENCE)
    once(lambda: stage.listener.when("alerts", alert.offset), PATIENCE)
    times = {
        "alert on its topic": alert.at,
        "channel": stage.told(f"{symbol} on {day}", messages) or 0.0,
        "page (the API's stream)": stage.listener.when("alerts", alert.offset) or 0.0,
        "metric": counted.result(),
    }
    [shown, *_] = asked(stage.settings, f"alerts?rule=abs_error&symbol={symbol}")["items"]
    assert shown["alert_id"] == alert.payload["alert_id"]
    found = {f"from an error's event to the {name}": at - error.written for name, at in times.items()}
    stage.figures |= found
    assert {name: seconds for name, seconds in found.items() if seconds > SHOCK_SECONDS} == {}
    assert alert.at >= error.written


def _counted(settings: Settings) -> float:
    return measured(settings, "judging", "nepse_alerts_raised_total", rule="abs_error")


def test_a_process_that_stands_still_is_seen_and_comes_back(
    stage: Stage, session: tuple[str, date, Path]
) -> None:
    """By the command line, the API, an alert and the channel; all by itself it is over when it goes on."""
    once(lambda: not _open_alert(stage.settings), PATIENCE)
    since, messages = len(stage.tail.seen), len(stage.hook.bodies)
    known = state.read_state(stage.settings.home)
    assert known
    judging = known.parts["judging"].pid
    lagging = {"rule": "lagging_seconds", "labels": {"flow": "monitor"}}
    looks = {
        "nepse status": lambda: _status_lags(stage.settings),
        "the API": lambda: _api_lags(stage.settings),
        "an alert": lambda: stage.tail.first("alerts", since, **lagging, event_type="AlertRaised"),
        "the API's alerts": lambda: _open_alert(stage.settings),
        "the metric": lambda: measured(stage.settings, "telling", WAITED, flow="monitor") > LAGGING_SECONDS,
        "the channel": lambda: stage.told("monitor: ", messages),
    }
    os.kill(judging, signal.SIGSTOP)
    try:
        began = time.time()
        waits = PredictionExpired(symbol=session[0], date=session[1], predicted=1.0, sessions_waited=1)
        publish(stage.settings, "errors", waits)
        with ThreadPoolExecutor(len(looks)) as pool:
            seen = dict(
                zip(
                    looks,
                    pool.map(lambda look: once(look, PATIENCE, 0.2) - began, looks.values()),
                    strict=True,
                )
            )
    finally:
        os.kill(judging, signal.SIGCONT)
    went_on = time.time()
    over = {**lagging, "event_type": "AlertResolved"}
    resolved = once(lambda: stage.tail.first("alerts", since, **over), PATIENCE) - went_on
    once(lambda: _status_lags(stage.settings) is False and not _open_alert(stage.settings), PATIENCE)
    found = {f"from a standstill until {name} tells it": seconds for name, seconds in seen.items()}
    stage.figures |= found | {"from going on to the end of its alert": resolved}
    minute = {"the channel": WINDOW.total_seconds()}  # others may lag as well, and one message tells of them
    late = [name for name, seconds in seen.items() if seconds > STANDSTILL_SECONDS + minute.get(name, 0.0)]
    assert late == []
    assert resolved <= OVER_SECONDS


def _status_lags(settings: Settings) -> bool | None:
    """Tell whether `nepse status` says that the sensor lags, or worse; None: no answer in time."""
    done = nepse("status", "--json", "--home", str(settings.home))
    if not done.stdout:
        return None
    [sensor] = [one for one in json.loads(done.stdout)["sensors"] if one["name"] == "sensor-monitor"]
    return bool(sensor["lag"] and sensor["why"])


def _api_lags(settings: Settings) -> bool:
    flows = asked(settings, "pipeline")["flows"]
    return any(one["flow"] == "monitor" and one["state"] in {"lagging", "stuck"} for one in flows)


def _open_alert(settings: Settings) -> bool:
    items = asked(settings, "alerts?rule=lagging_seconds&state=open")["items"]
    return any(one["labels"] == {"flow": "monitor"} for one in items)


def test_a_storm_loses_no_alert_and_fills_no_mailbox(stage: Stage, session: tuple[str, date, Path]) -> None:
    """Ten thousand errors that breach two rules each: every alert once, and a handful of messages."""
    stage.await_told()
    since, messages = len(stage.tail.seen), len(stage.hook.bodies)
    began = time.time()
    publish(stage.settings, "errors", *(breach(number, session[1]) for number in range(STORM)))
    once(lambda: len(_of_storm(stage, since)) >= 2 * STORM, PATIENCE)
    seconds = max(one.at for one in stage.tail.seen[since:] if one.topic == "alerts") - began
    once(lambda: _told_of(stage, messages) == {"abs_error": STORM, "pct_error": STORM}, PATIENCE)
    stage.await_told()
    counts = Counter(_of_storm(stage, since))
    expected = {(rule, f"STORM{n}") for rule in ("abs_error", "pct_error") for n in range(STORM)}
    assert set(counts) == expected
    assert set(counts.values()) == {1}
    bodies = stage.hook.bodies[messages:]
    stage.figures |= {
        "errors of a storm": STORM,
        "its alerts on the topic": len(counts),
        "until the last of them could be read": seconds,
        "messages about it": len(bodies),
        "characters of the longest": max(map(len, bodies)),
    }
    assert len(bodies) <= MESSAGES


def _told_of(stage: Stage, since: int) -> dict[str, int]:
    """Sum up how many alerts of each rule the channel was told of."""
    told = Counter[str]()
    for body in stage.hook.bodies[since:]:
        for rule, number in re.findall(r"^(abs_error|pct_error): (\d+) raised", body, re.MULTILINE):
            told[rule] += int(number)
    return dict(told)


def _of_storm(stage: Stage, since: int) -> list[tuple[Any, Any]]:
    raised = (one for one in stage.tail.seen[since:] if one.event["event_type"] == "AlertRaised")
    said = ((one.payload["rule"], one.payload.get("symbol")) for one in raised)
    return [(rule, symbol) for rule, symbol in said if str(symbol).startswith("STORM")]
