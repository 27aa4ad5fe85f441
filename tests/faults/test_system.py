"""Faults in the real running system: nothing lost, nothing twice, settled again within 45 s.

`make faults` injects each of them more often and for longer, and writes docs/reference/faults.md.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest

from infra.faults import POINTS
from infra.settings import PROJECT, inherited_environment
from infra.wiring import routes
from tests.conftest import running_stack
from tests.faults import journal
from tests.faults.hostile import corpus
from tests.faults.parts import RECOVERY_SECONDS, each, until
from tests.faults.sessions import HISTORY, market
from tests.faults.system import System
from tests.faults.table import Report, repeats

HISTORY_SECONDS = 400.0
TRANSACTION_MS = 20_000
ZOMBIE_SECONDS = 32
"""Past the session time-out, and the transaction's, which the broker looks for every 10 s."""
HOSTILE = 5_000
MOST_TOLD = 30
COLD = "transaction-initialised"
"""Reached by a new process only: a warm producer is initialised already."""
SHORT_SECONDS, HANG_SECONDS, STOP_SECONDS = 15, 30, 60
HANGS = ("prefect", "postgres", "s3", "mlflow", "kafka")
STOPS = ("prefect", "postgres", "s3", "mlflow")
VICTIMS = (
    ("predict", "join-errors"),
    ("compute-features", "monitor"),
    ("predict", "join-errors"),
    ("compute-features", "join-errors"),
    ("predict", "monitor"),
)
"""Who is killed in each round: of what leads to a prediction, and of what judges it."""
SOURCE_POINTS = ("transaction-begun", "outputs-produced", "commit-sent", "commit-acknowledged")
INPUTS = ("raw-data", "features", "predictions", "actuals", "errors", "training", "models", "alerts")
FED_BEFORE = {"kafka", "s3"}
"""What a session needs to be announced at all."""

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.stack, pytest.mark.timeout(5_400)]


class Campaign:
    """A system, and the account of what was done to it."""

    def __init__(self, system: System, report: Report, rounds: int) -> None:
        """Nothing is injected yet."""
        self.system, self.report, self.rounds = system, report, rounds

    @property
    def repeats(self) -> int:
        """How often a fault other than a kill is injected."""
        return repeats(self.rounds)

    def hold(self, seconds: int) -> int:
        """How long an outage lasts, in seconds; shorter where each is injected once."""
        return SHORT_SECONDS if self.rounds == 1 else seconds

    def settled(self, *names: str) -> None:
        """Note that faults have ended and how long the system took to settle."""
        seconds = self.system.settle()
        for name in names:
            self.report.lines[name].seconds.append(seconds)

    def judged(self, *names: str, values: bool = False) -> None:
        """Require that nothing is wrong; and, where faults are measured, that the system came back in time.

        The short version tells the seconds, too. It shares a machine with whatever else is tested there, and
        the bound that holds for it is that of `settle`.
        """
        found = self.system.findings(values=values)
        for name in names:
            self.report.lines[name].findings.extend(found)
        assert not found, "\n".join(map(str, found[:MOST_TOLD]))
        for name in names if self.rounds > 1 else ():
            assert max(self.report.lines[name].seconds) <= RECOVERY_SECONDS, name


@pytest.fixture(scope="module")
def campaign(
    pytestconfig: pytest.Config, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Campaign]:
    """A stack of this module with some history in it, and a model in office."""
    armed = tmp_path_factory.mktemp("armed")
    bounds = {"NEPSE_TRANSACTION_TIMEOUT_MS": str(TRANSACTION_MS), "NEPSE_DELIVERY_TIMEOUT_MS": "16000"}
    with running_stack(NEPSE_FAULTS=str(armed), NEPSE_RETRAIN_AFTER_SESSIONS="100000", **bounds) as settings:
        system = System(settings, armed, market(settings.data))
        report.data = "the exchange's files" if settings.data else "the simulated market"
        system.feed(HISTORY)
        system.settle(HISTORY_SECONDS)
        system.ask_for_training()
        system.settle()
        system.promote("v1")
        yield Campaign(system, report, pytestconfig.getoption("rounds"))


@pytest.mark.parametrize("point", POINTS)
def test_a_process_is_killed(campaign: Campaign, point: str) -> None:
    """What leads to a prediction and what judges it are killed at the same point, each in its process."""
    name = f"SIGKILL at {point}"
    for number in range(campaign.rounds):
        flows = VICTIMS[number % len(VICTIMS)]
        if point == COLD:
            for part in ("forecasting", "judging"):
                campaign.system.kill(part)
        for flow in flows:
            campaign.system.arm(f"{point}.{flow}", "kill")
        campaign.system.feed()
        for flow in flows:
            if process := campaign.system.victim(f"{point}.{flow}"):
                process.wait(timeout=5)
        campaign.settled(name)
    campaign.judged(name)


@pytest.mark.parametrize("point", SOURCE_POINTS)
def test_an_ingestion_is_killed(campaign: Campaign, point: str, tmp_path: Path) -> None:
    """The command is given again: what the first one committed is found, what it did not is done."""
    name = f"SIGKILL of an ingestion at {point}"
    for _ in range(campaign.repeats):
        campaign.system.feed_file(tmp_path, killed_at=point)
        campaign.settled(name)
    campaign.judged(name)


def test_a_training_is_killed(campaign: Campaign) -> None:
    """The worker's process dies with a version in MLflow and no event: the next one finds the version."""
    points = ("outputs-produced", "commit-acknowledged", "validated")
    for point in points[: campaign.repeats]:
        name = f"SIGKILL of a training at {point}"
        for _ in range(campaign.repeats):
            campaign.system.feed()
            campaign.system.arm(f"{point}.retrain", "kill")
            campaign.system.ask_for_training()
            campaign.system.victim(f"{point}.retrain")
            campaign.settled(name)
        campaign.judged(name)


def test_the_worker_is_killed(campaign: Campaign) -> None:
    """The worker and the training that it runs die: who awaits the run notices, and has it run again."""
    name = "SIGKILL of the worker in a training"
    for _ in range(campaign.repeats):
        campaign.system.feed()
        campaign.system.arm("validated.retrain", "stop")
        campaign.system.ask_for_training()
        campaign.system.victim("validated.retrain")
        campaign.system.kill("worker")
        campaign.settled(name)
    campaign.judged(name)


def test_projectors_are_killed(campaign: Campaign) -> None:
    """Rows and positions go together: at the end the projections are compared with the topics."""
    name = "SIGKILL of the projectors"
    for _ in range(campaign.repeats):
        campaign.system.feed()
        campaign.system.kill("projectors")
        campaign.settled(name)
    campaign.judged(name)


@pytest.mark.parametrize(
    ("point", "successor"), [("validated", True), ("outputs-produced", True), ("outputs-produced", False)]
)
def test_a_zombie_awakes(campaign: Campaign, point: str, successor: bool) -> None:
    """A process that slept over its session and its transaction goes on where it was; nobody believes it."""
    name = (
        f"SIGSTOP for {ZOMBIE_SECONDS} s at {point}, {'its partitions with a copy' if successor else 'alone'}"
    )
    for _ in range(campaign.repeats):
        before = campaign.system.superseded("predict")
        campaign.system.arm(f"{point}.predict", "stop")
        campaign.system.feed()
        zombie, asleep = campaign.system.victim(f"{point}.predict"), time.monotonic()
        assert zombie
        with second_host(campaign, "copy") if successor else nullcontext():
            with woken(zombie):
                if successor:
                    campaign.system.settle()
                hold(ZOMBIE_SECONDS - (time.monotonic() - asleep))
            campaign.system.feed()
            campaign.settled(name)
            if successor:
                until(lambda before=before: campaign.system.superseded("predict") > before, 30, "its end")
    campaign.judged(name)


@pytest.mark.parametrize("instance", [None, "copy"])
def test_sensors_run_twice(campaign: Campaign, instance: str | None) -> None:
    """A second set of sensors displaces the first, by the same name, or shares its partitions, and goes."""
    name = f"a second set of sensors, {'under another name' if instance else 'under the same name'}"
    for _ in range(campaign.repeats):
        with second_host(campaign, instance):
            for _ in range(3):
                campaign.system.feed()
                campaign.system.settle()
            campaign.system.feed()
        campaign.settled(name)
    campaign.judged(name)


class second_host:  # noqa: N801  (used like a function)
    """Another process with the same sensors, as a copy of a name of its own or of the first one's."""

    def __init__(self, campaign: Campaign, instance: str | None) -> None:
        """Start it."""
        settings = campaign.system.settings
        name = {"NEPSE_HOME": str(settings.home.resolve())} | (
            {"NEPSE_INSTANCE": instance} if instance else {}
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sensors.host", "forecasting"],
            env=inherited_environment() | settings.environment() | name,
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> None:
        """Nothing more."""

    def __exit__(self, *_: object) -> None:
        """Ask it to end."""
        self.process.terminate()
        self.process.wait(timeout=30)


def test_the_broker_is_killed_in_mid_transaction(campaign: Campaign) -> None:
    """The records of an open transaction lie on a broker that dies and comes back."""
    name = "broker killed in mid-transaction"
    for _ in range(campaign.repeats):
        campaign.system.arm("outputs-produced.predict", "stop")
        campaign.system.feed()
        sleeper = campaign.system.victim("outputs-produced.predict")
        assert sleeper
        before = campaign.system.part("kafka").pid
        with woken(sleeper):
            campaign.system.kill("kafka")
        until(lambda before=before: campaign.system.part("kafka").pid != before, 60, "a new broker")
        campaign.settled(name)
    campaign.judged(name)


@pytest.mark.parametrize("part", HANGS)
def test_a_part_hangs(campaign: Campaign, part: str) -> None:
    """A server neither answers nor ends while a session arrives."""
    outage(campaign, "hangs", part, campaign.hold(HANG_SECONDS), campaign.system.hung)


@pytest.mark.parametrize("part", STOPS)
def test_a_part_is_stopped(campaign: Campaign, part: str) -> None:
    """A server is gone, and refuses every connection, while a session arrives."""
    outage(campaign, "stopped", part, campaign.hold(STOP_SECONDS), campaign.system.stopped)


def outage(
    campaign: Campaign,
    what: str,
    part: str,
    seconds: int,
    away: Callable[[str], AbstractContextManager[None]],
) -> None:
    """Feed a session while a part is away: the loop waits, gives nothing up, and goes on by itself."""
    name = f"{part} {what} for {seconds} s"
    for _ in range(campaign.repeats):
        if part in FED_BEFORE:
            campaign.system.feed()
        with away(part):
            if part not in FED_BEFORE:
                campaign.system.feed()
            if part == "mlflow":  # nobody else needs it
                campaign.system.ask_for_training()
            hold(seconds)
        campaign.settled(name)
    campaign.judged(name)


def hold(seconds: float) -> None:
    """Let a fault last, if it has not lasted so long already."""
    time.sleep(max(0.0, seconds))


@contextmanager
def woken(sleeper: psutil.Process) -> Iterator[None]:
    """Wake a process that stopped itself, also where a test fails: those after it need it."""
    try:
        yield
    finally:
        each(sleeper, signal.SIGCONT)


def test_new_sessions_come_twice_and_shuffled(campaign: Campaign) -> None:
    """Nothing of them was there before: sessions, actuals and repeats come in any order."""
    name = "new sessions delivered twice, shuffled"
    for number in range(campaign.repeats):
        campaign.system.feed_shuffled(3, seed=number)
        campaign.settled(name)
    campaign.judged(name)


def test_everything_is_delivered_twice_and_shuffled(campaign: Campaign) -> None:
    """Every record of the inputs comes once more, in any order: nothing follows from it."""
    name = "every input delivered twice, shuffled"
    for number in range(campaign.repeats):
        campaign.system.deliver_again(INPUTS, seed=number)
        campaign.settled(name)
    campaign.judged(name)


def test_hostile_records_become_letters(campaign: Campaign) -> None:
    """Thousands of broken records over all inputs: each has a dead letter, and the sensors go on."""
    name = f"{HOSTILE} hostile records"
    sent = campaign.system.send(corpus(HOSTILE, seed=campaign.rounds))
    campaign.settled(name)
    letters = journal.read(campaign.system.settings.bootstrap).letters
    for route in routes():
        broken = [place for one, place in sent if one.broken and place.topic in route.topics]
        assert [place for place in broken if letters[route.flow].get(place) != 1] == []
    campaign.system.feed()
    campaign.system.settle()
    campaign.judged(name)


def test_values_are_what_pandas_computes(campaign: Campaign) -> None:
    """After all faults: features, predictions and errors once more from the raw objects."""
    name = "none: at the end every value is computed once more"
    campaign.settled(name)
    campaign.judged(name, values=True)


def test_projections_are_what_the_topics_say(campaign: Campaign, cli: Cli) -> None:
    """After all faults: read side and feature table are dropped and made again, and nothing differs."""
    done = cli("rebuild", "--features", "--yes", "--home", str(campaign.system.settings.home), within=280)
    assert done.returncode == 0, done.stdout + done.stderr
