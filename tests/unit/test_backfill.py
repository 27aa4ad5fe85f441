"""Backfills: which blocks are left, what is missing of them, and that a killed run loses nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st
from prefect.utilities.callables import parameter_schema

from events.envelope import decode
from events.payloads import FeaturesComputed, OffsetRange, PredictionMade, SliceCommitted
from flows import backfill as flow
from infra.cli.backfill import Flow
from infra.errors import TryAgainError
from infra.kafka import ledger, log
from infra.kafka.blocks import Block, blocks_in, is_block
from infra.kafka.ledger import aside, is_live
from infra.kafka.records import Because, Outgoing, Place, Run
from infra.progress import listening
from infra.settings import Settings
from tasks.backfilling import Found, Publisher, Report, Show, _each, record
from tasks.blocks import committed_blocks
from tasks.catching_up import await_projection
from tasks.core.backfill import (
    ROWS_A_BLOCK,
    ROWS_SUPPOSED,
    SESSIONS_A_BLOCK,
    Forecast,
    Plan,
    Request,
    blocks_of,
    lacking_vectors,
    lacks_error,
    lacks_prediction,
    plan,
)
from tasks.core.features import FEATURE_SET, FEATURES, compute
from tasks.core.panel import Panel
from tasks.core.simulator import simulate
from tasks.recomputing import computed_since
from tasks.scaling import computing, here, on, require_workers
from tasks.throttle import Throttle

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(40)]
REQUEST = Request(DAYS[0], DAYS[-1])
CAUSE = Because("cause", "chain", Place("raw-data", 0, 7))


def held(_end: int) -> dict[date, int | None]:
    """All sessions, as of whatever end; nobody told how many rows they have."""
    return dict.fromkeys(DAYS)


def committed(made: Plan, *blocks: Sequence[date]) -> list[Block]:
    """Ledger entries of blocks of a plan."""
    return [Block(made.publisher, 0, made.end, dict.fromkeys(block, 1)) for block in blocks]


def vector(symbol: str = "NABIL", value: float | None = 1.0, revision: int = 0) -> FeaturesComputed:
    """A vector with one number for every feature."""
    return FeaturesComputed(
        symbol=symbol,
        date=FIRST,
        features=dict.fromkeys(FEATURES, value),
        feature_set=FEATURE_SET,
        last_close=100.0,
        revision=revision,
    )


def stored(*vectors: FeaturesComputed, **other: Any) -> pd.DataFrame:
    """Vectors as rows of the feature table."""
    columns = ["symbol", "feature_set", "revision", "last_close", *FEATURES]
    rows = [
        {
            "symbol": v.symbol,
            "feature_set": v.feature_set,
            "revision": v.revision,
            "last_close": v.last_close,
            **v.features,
            **other,
        }
        for v in vectors
    ]
    return pd.DataFrame(rows, columns=columns)


def test_a_plan_is_cut_into_blocks() -> None:
    """Fourteen sessions each, the last one shorter, pinned to the end of raw-data."""
    made = plan(REQUEST, 99, held, [])
    assert [len(block) for block in made.blocks] == [14, 14, 12]
    assert [day for block in made.blocks for day in block] == DAYS
    assert (made.end, made.done, made.resumes, made.sessions) == (99, 0, False, 40)


@given(st.lists(st.none() | st.integers(0, 9_000), max_size=60))
def test_a_block_fits_into_a_transaction(rows: list[int | None]) -> None:
    """However many symbols a session has: a block has few rows, or is one session."""
    sessions = list(enumerate(rows))
    blocks = list(blocks_of(sessions, lambda one: one[1]))
    assert [one for block in blocks for one in block] == sessions
    for block in blocks:
        assert 1 <= len(block) <= SESSIONS_A_BLOCK
        total = sum(ROWS_SUPPOSED if count is None else count for _, count in block)
        assert len(block) == 1 or total <= ROWS_A_BLOCK


def test_a_large_market_has_small_blocks() -> None:
    """3,000 symbols: one session a block, where 14 would outlast the transaction."""
    made = plan(REQUEST, 99, lambda _: dict.fromkeys(DAYS, 3_000), [])
    assert [len(block) for block in made.blocks] == [1] * len(DAYS)


def test_blocks_that_were_cut_otherwise_are_not_done_again() -> None:
    """Only the sessions that no block holds are left, whichever blocks an older version made."""
    made = plan(REQUEST, 99, held, [])
    again = plan(REQUEST, 99, held, committed(made, DAYS[:3], DAYS[3:16]))
    assert [day for block in again.blocks for day in block] == DAYS[16:]
    assert again.done == 2


def test_another_feature_set_is_another_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that an older code broke off leaves none of its blocks as done."""
    made = plan(REQUEST, 99, held, [])
    before = committed(made, made.blocks[0])
    predictions = Request(FIRST, FIRST, flow="predictions").digest
    monkeypatch.setattr("tasks.core.backfill.FEATURE_SET", "another")
    assert plan(REQUEST, 99, held, before).done == 0
    assert Request(FIRST, FIRST, flow="predictions").digest == predictions


def test_what_was_broken_off_goes_on_as_of_its_own_end() -> None:
    """The rest is computed from the same raw-data as the blocks before, under the same name."""
    made = plan(REQUEST, 99, held, [])
    again = plan(REQUEST, 120, held, committed(made, made.blocks[1]))
    assert (again.publisher, again.end, again.done) == (made.publisher, 99, 1)
    assert again.blocks == [made.blocks[0], made.blocks[2]]


def test_what_was_finished_begins_anew() -> None:
    """A second run has a name of its own, so that its events are not taken for repeats."""
    made = plan(REQUEST, 99, held, [])
    again = plan(REQUEST, 120, held, committed(made, *made.blocks))
    assert again.publisher != made.publisher
    assert (again.end, again.sessions) == (120, 40)
    third = plan(REQUEST, 120, held, committed(made, *made.blocks) + committed(again, *again.blocks))
    assert len({made.publisher, again.publisher, third.publisher}) == 3


def test_another_request_is_another_run() -> None:
    """What it asks for makes its name; the order of its symbols does not."""
    made = plan(REQUEST, 99, held, [])
    other = Request(DAYS[0], DAYS[-1], force=True)
    assert plan(other, 99, held, committed(made, made.blocks[0])).done == 0
    assert Request(FIRST, FIRST, ("A", "B")).digest == Request(FIRST, FIRST, ("B", "A")).digest
    digests = {REQUEST.digest, other.digest, Request(DAYS[0], DAYS[-1], flow="errors").digest}
    assert len(digests) == 3


@given(st.sets(st.integers(0, 2)), st.integers(1, 30))
def test_any_blocks_left_by_a_kill_are_done_by_the_next_run(done: set[int], sessions: int) -> None:
    """Whatever was committed, the two runs together hold each session once."""
    days = DAYS[:sessions]
    made = plan(REQUEST, 9, lambda _: dict.fromkeys(days, 350), [])
    before = [block for number, block in enumerate(made.blocks) if number in done]
    again = plan(REQUEST, 9, lambda _: dict.fromkeys(days, 350), committed(made, *before))
    if again.publisher == made.publisher:
        assert sorted(day for block in [*before, *again.blocks] for day in block) == days
    else:
        assert before == made.blocks


def test_nothing_is_lacking_where_the_same_is_stored() -> None:
    """Unknown values are equal to unknown ones."""
    assert lacking_vectors([vector(), vector("UPPER", None)], stored(vector("UPPER", None), vector())) == []
    assert lacking_vectors([], stored()) == []


@pytest.mark.parametrize(
    "rows",
    [
        stored(),
        stored(vector("UPPER")),
        stored(vector(value=2.0)),
        stored(vector(value=None)),
        stored(vector(), feature_set="0"),
        stored(vector(), last_close=99.0),
        stored(vector()).drop(columns=[FEATURES[3]]),
    ],
    ids=["none", "another symbol", "a value", "unknown", "another set", "another close", "no column"],
)
def test_what_is_missing_or_different_is_lacking(rows: pd.DataFrame) -> None:
    """A row that is not what is computed now is published again."""
    assert lacking_vectors([vector()], rows) == [vector()]


def test_a_row_that_knows_more_stays() -> None:
    """Its revision counts events that came after the plan; ours would be read as the older one."""
    assert lacking_vectors([vector()], stored(vector(value=2.0, revision=1))) == []


def test_a_prediction_is_lacking_unless_it_is_stored_like_that() -> None:
    """By close, version and revision."""
    made = PredictionMade(symbol="A", date=FIRST, predicted_close=1.5, model_version="v1", revision=1)
    assert lacks_prediction(made, None)
    assert lacks_prediction(made, Forecast(1.5, "v0", 1))
    assert lacks_prediction(made, Forecast(1.5, "v1", 0))
    assert not lacks_prediction(made, Forecast(1.5, "v1", 1))
    assert not lacks_prediction(made, Forecast(9.9, "v1", 2))


def test_an_error_is_lacking_where_the_actual_is_there() -> None:
    """Nothing can be judged before its session closed."""
    key = ("A", FIRST)
    assert lacks_error(key, {key}, set())
    assert not lacks_error(key, {key}, {key})
    assert not lacks_error(key, set(), set())


class KilledError(Exception):
    """Stands for the end of the process."""


@dataclass
class Topic:
    """What is committed: events by id, and the ledger's blocks; a block may be the last that gets through."""

    until: int | None = None
    events: list[str] = field(default_factory=list)
    ledger: list[Block] = field(default_factory=list)

    def publish(
        self, publisher: str, span: OffsetRange, records: Sequence[Outgoing], sessions: Mapping[date, int]
    ) -> int:
        """Commit a block, or die."""
        if self.until is not None and len(self.ledger) >= self.until:
            raise KilledError
        self.events += [decode(one.value or b"").id for one in records]
        self.ledger.append(Block(publisher, span.start, span.end, dict(sessions)))
        return len(records)


class Maker:
    """Finds a vector a session, unless it was told that it is there."""

    def __init__(self) -> None:
        """Nothing is begun."""
        self.begun: list[date] = []

    def prepare(self, _made: Plan) -> None:
        """Do nothing."""

    def begin(self, days: Sequence[date]) -> None:
        """Note the sessions."""
        self.begun += days

    def find(self, days: Sequence[date]) -> Mapping[date, Found]:
        """One vector each."""
        assert set(days) <= set(self.begun)
        return {
            day: Found(1, "features", [(vector().model_copy(update={"date": day}), CAUSE)]) for day in days
        }


def run(topic: Topic, show: Show = lambda _done, _total, _told: None) -> Report:
    """A backfill against a topic."""
    made = plan(REQUEST, 99, held, topic.ledger)
    report = Report(made)
    publisher = Publisher(cast("Any", topic), Throttle(lambda: 0), made)
    _each(made, Maker(), report, show, publisher.publish)
    return report


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_a_run_that_was_killed_and_one_that_was_not_publish_the_same(blocks: int) -> None:
    """Block after block, whoever died in between: the same events, each once."""
    whole, killed = Topic(), Topic(until=blocks)
    run(whole)
    with pytest.raises(KilledError):
        run(killed)
    killed.until = None
    report = run(killed)
    assert killed.events == whole.events
    assert len(set(whole.events)) == len(DAYS)
    assert report.as_dict()["blocks_done_before"] == blocks
    assert report.as_dict()["published"] == len(DAYS) - SESSIONS_A_BLOCK * blocks


def test_each_block_is_told_to_the_terminal_and_to_the_run_s_page() -> None:
    """Sessions done of all; a run that goes on behind another counts what it has to do itself."""
    topic, heard, shown = Topic(until=2), list[tuple[str, int, int]](), list[tuple[int, int, str]]()
    with listening(lambda *told: heard.append(told)), pytest.raises(KilledError):
        run(topic, lambda *told: shown.append(told))
    assert heard == [("sessions", SESSIONS_A_BLOCK * n, len(DAYS)) for n in (1, 2)]
    assert shown == [(done, all_, f"up to {DAYS[done - 1]}") for _, done, all_ in heard]
    topic.until, left = None, len(DAYS) - 2 * SESSIONS_A_BLOCK
    with listening(lambda *told: heard.append(told)):
        run(topic, lambda *told: shown.append(told))
    assert heard[2:] == [("sessions", left, left)]
    assert shown[2:] == [(left, left, f"up to {DAYS[-1]}")]


def test_no_block_is_published_while_the_live_loop_has_much_to_do() -> None:
    """It waits first; where this process is to end meanwhile, nothing of the block was published."""
    topic, made = Topic(), plan(REQUEST, 99, held, [])
    ending = Throttle(lambda: 3_000, pause=lambda _: True)
    with pytest.raises(TryAgainError, match="goes on from here"):
        _each(
            made, Maker(), Report(made), lambda *_: None, Publisher(cast("Any", topic), ending, made).publish
        )
    assert (topic.events, topic.ledger) == ([], [])


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_predecessor_is_fenced_before_the_ledger_is_read(
    dry_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it still committed after the look would be published twice; who only counts fences nobody."""
    order: list[str] = []
    blocks = SimpleNamespace(open=lambda: order.append("open"), close=lambda: order.append("close"))
    for name in ("planned", "publish_missing", "count_missing"):
        monkeypatch.setattr(flow, name, lambda *_, name=name: order.append(name))
    for name in ("sessions", "FeatureMaker"):
        monkeypatch.setattr(flow, name, lambda *_: None)
    monkeypatch.setattr(flow, "this_publisher", lambda *_: blocks)
    monkeypatch.setattr(flow, "this_run", lambda name: Run(name, "run"))
    flow._do(cast("Any", None), REQUEST, here, lambda *_: None, dry_run=dry_run)
    live, dry = ["open", "planned", "publish_missing", "close"], ["planned", "count_missing", "close"]
    assert order == (dry if dry_run else live)


def test_two_runs_of_a_request_make_different_events() -> None:
    """With --force a second time everything is published again, under ids of its own."""
    topic = Topic()
    run(topic)
    run(topic)
    assert len(set(topic.events)) == 2 * len(DAYS)


def test_a_prediction_is_named_by_the_session_before() -> None:
    """Two sessions may be about the same next one."""
    made = PredictionMade(symbol="A", date=DAYS[3], predicted_close=1.0, model_version="v1", as_of=DAYS[1])
    other = made.model_copy(update={"as_of": DAYS[2]})
    ids = {decode(record("x", "predictions", one, CAUSE).value or b"").id for one in (made, other)}
    assert len(ids) == 2


def test_the_ledger_tells_blocks_from_progress() -> None:
    """A block's entry says what it holds by session, and tiles nothing."""
    span = OffsetRange(topic="raw-data", partition=0, start=0, end=9)
    sessions = {str(day): number for number, day in enumerate(DAYS[:3])}
    entries = []
    for counts in (sessions, {str(DAYS[3]): 5}):
        closing = aside(
            Settings(), ledger.blocks_of("backfill.abc.0"), Run("backfill", "run"), [span], counts
        )
        entries.append(decode(closing([]).value or b""))
    payloads = [cast("SliceCommitted", one.payload) for one in entries]
    assert entries[0].id != entries[1].id
    assert not any(is_live(one) for one in payloads)
    live = SliceCommitted(flow="predict", group="predict", ranges=[span], run_id="run")
    assert blocks_in([live, *payloads]) == [
        Block("backfill.abc.0", 0, 9, dict(zip(DAYS, range(3), strict=False))),
        Block("backfill.abc.0", 0, 9, {DAYS[3]: 5}),
    ]


def test_of_the_ledger_blocks_alone_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slice of every flow has an entry; a process that lives for long must not hold them all."""
    span = OffsetRange(topic="raw-data", partition=0, start=0, end=9)
    run, counts = Run("backfill", "run"), {str(DAYS[0]): 1}
    made = [aside(Settings(), name, run, [span], counts)([]) for name in ("predict", "block.backfill.abc.0")]
    records = [
        SimpleNamespace(value=one.value, offset=at, topic="slices", partition=0, key=None)
        for at, one in enumerate(made)
    ]
    reader = SimpleNamespace(end_offsets=lambda spots, **_: dict.fromkeys(spots, 2))
    monkeypatch.setattr(log.clients, "consumer", lambda *_, **__: reader)
    monkeypatch.setattr(log, "read_ranges", lambda *_: records)
    world = SimpleNamespace(settings=Settings(), keep=lambda _, make: make())
    world.live = world
    assert committed_blocks(cast("Any", world)) == [Block("backfill.abc.0", 0, 9, {DAYS[0]: 1})]
    kept = log.TopicLog(Settings(), "slices", is_block)
    assert kept.refresh() == 2
    assert [one.place.offset for one in kept.between(0, 2)] == [1]


def test_blocks_of_attempts_count_for_their_slice_alone() -> None:
    """Those that began where this slice does, or before, and reach into it."""
    blocks = [
        Block("recompute", 4, 9, {DAYS[0]: 1}),
        Block("recompute", 4, 7, {DAYS[0]: 1, DAYS[1]: 0}),
        Block("recompute", 0, 4, {DAYS[2]: 1}),
        Block("recompute", 9, 12, {DAYS[3]: 1}),
        Block("backfill.abc.0", 0, 12, {DAYS[4]: 1}),
    ]
    span = OffsetRange(topic="raw-data", partition=0, start=4, end=6)
    assert computed_since(blocks, span) == {DAYS[0]: 8, DAYS[1]: 6}


def lags(*values: int) -> Callable[[], int]:
    """Measurements, one after the other."""
    rest = iter(values)
    return lambda: next(rest)


def test_a_block_waits_for_the_live_loop() -> None:
    """Until no more than 2,000 records are left."""
    paused: list[float] = []
    pause = lambda seconds: bool(paused.append(seconds))  # noqa: E731
    Throttle(lags(5_000, 2_001, 2_000), pause=pause).pass_()
    assert len(paused) == 2


def test_nobody_waits_for_a_sensor_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing will be worked off; it says which sensor is missing. While there is one, it may take long."""
    monkeypatch.setattr("tasks.throttle.ABSENT_SECONDS", -1.0)
    with pytest.raises(TryAgainError, match="3000 records wait for predict, which no sensor runs"):
        Throttle(lambda: 3_000, lambda: ["predict"], pause=lambda _: False).pass_()
    measured = iter([3_000, 3_000, 3_000, 0])
    Throttle(lambda: next(measured), list, pause=lambda _: False).pass_()
    assert next(measured, None) is None


def test_waiting_is_bounded() -> None:
    """Where nothing is worked off, and where the process is to end, it says how to go on."""
    with pytest.raises(TryAgainError, match="have had 3000 records to do"):
        Throttle(lambda: 3_000, longest=-1.0, pause=lambda _: False).pass_()
    with pytest.raises(TryAgainError, match="goes on from here"):
        Throttle(lambda: 3_000, pause=lambda _: True).pass_()


def test_a_projection_is_awaited_for_a_bounded_time() -> None:
    """It returns when the positions are there, and says what lacks when they do not move."""
    ends, at = {("features", 0): 9}, iter([{}, {("features", 0): 4}, {("features", 0): 9}])
    await_projection("the table", lambda: next(at), ends, pause=lambda _: False)
    assert next(at, None) is None
    with pytest.raises(TryAgainError, match="the table lacks 9 records"):
        await_projection("the table", dict, ends, longest=-1.0)


class Runner:
    """A task runner that computes at once; a future may be a parameter."""

    def __init__(self) -> None:
        """Nothing was submitted."""
        self.tasks: list[str] = []

    def submit(self, task: Any, parameters: dict[str, Any]) -> Any:
        """Call the task."""
        self.tasks.append(task.name)
        given = {name: one.result() if hasattr(one, "result") else one for name, one in parameters.items()}
        done = task.fn(**given)
        return SimpleNamespace(result=lambda: done)


def test_computing_by_blocks_of_symbols_is_computing_here() -> None:
    """One task for what couples the symbols, one a block; the same table."""
    panel = Panel.from_sessions([(session.date, session.rows) for session in simulate(130, 10, seed=3)])
    runner, since = Runner(), panel.dates[-2]
    found = on(runner, 4, panel, since)()
    assert runner.tasks == ["market-inputs", *["features-of-symbols"] * 3]
    pd.testing.assert_frame_equal(found, compute(panel, since), check_exact=True)
    pd.testing.assert_frame_equal(found, here(panel, since)(), check_exact=True)
    assert on(runner, 4, Panel.empty(), since)().empty


class DaskRunner:
    """A task runner on Dask, without Prefect's part in it."""

    def __init__(self, client: Client) -> None:
        """Use a client."""
        self.client = client

    def submit(self, task: Any, parameters: dict[str, Any]) -> Any:
        """Hand the task's function over; a future among the parameters is awaited there."""
        return self.client.submit(task.fn, **parameters)


def test_what_goes_to_dask_can_be_sent() -> None:
    """A scheduler and a worker of this process: panels, futures and frames go over and come back the same."""
    panel = Panel.from_sessions([(session.date, session.rows) for session in simulate(130, 10, seed=3)])
    since = panel.dates[-2]
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        found = on(DaskRunner(client), 4, panel, since)()
    pd.testing.assert_frame_equal(found, compute(panel, since), check_exact=True)


def test_a_scheduler_without_workers_is_said() -> None:
    """Work that is handed over to nobody would wait for ever."""

    def wait_for_workers(count: int, timeout: float) -> None:
        message = f"0 of {count} workers after {timeout} s"
        raise TimeoutError(message)

    client = SimpleNamespace(wait_for_workers=wait_for_workers)
    with pytest.raises(TryAgainError, match="no Dask worker at tcp://nowhere:8786 within 60 s: 0 of 1"):
        require_workers(lambda: client, "tcp://nowhere:8786")


def test_without_dask_the_process_computes() -> None:
    """Nothing else is imported or asked."""
    with computing(Settings(dask=None)) as start:
        assert start is here


def test_the_form_says_what_each_field_is_for() -> None:
    """Prefect makes it of the flow's parameters; what can be chosen is a list."""
    form = parameter_schema(flow.backfill).properties
    assert all(field["description"] for field in form.values())
    assert form["start"]["format"] == "date"
    assert form["flow"]["enum"] == ["features", "predictions", "errors"]
    assert {one.value for one in Flow} == set(form["flow"]["enum"])
