"""Cutting slices and being patient: pure decisions of a sensor."""

from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition

from infra.wiring import Route
from sensors.plan import Patience, cut, one_run, size, units

P0, P1 = TopicPartition("predictions", 0), TopicPartition("predictions", 1)
A0, A1 = TopicPartition("actuals", 0), TopicPartition("actuals", 1)
JOIN = Route("sensor-join-errors", "join-errors", ("predictions", "actuals"), paired=True)
PLAIN = Route("sensor-predict", "predict", ("features", "models"))


def test_pairs_need_both_sides() -> None:
    """A pair is only cut when both its partitions are assigned here."""
    assert units(JOIN, {P0, A0, P1}) == [(P0, A0)]
    assert units(JOIN, {P0, A0, P1, A1}) == [(P0, A0), (P1, A1)]


def test_plain_routes_cut_each_partition_alone() -> None:
    """Without pairing every partition is a unit of its own."""
    spots = {TopicPartition("features", 1), TopicPartition("models", 0)}
    assert units(PLAIN, spots) == [(TopicPartition("features", 1),), (TopicPartition("models", 0),)]


def test_nothing_new_is_no_slice() -> None:
    """A unit that stands at its end is left alone."""
    assert cut((P0, A0), {P0: 5, A0: 7}, {P0: 5, A0: 7}, 100) == []


def test_a_pair_keeps_its_empty_side() -> None:
    """The side without news is in the slice as an empty range, since both offsets are checked."""
    ranges = cut((P0, A0), {P0: 5, A0: 7}, {P0: 5, A0: 9}, 100)
    assert [(r.topic, r.start, r.end) for r in ranges] == [("predictions", 5, 5), ("actuals", 7, 9)]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_slices_tile_the_log(new_p: int, new_a: int, limit: int) -> None:
    """Cutting again and again from where the last slice ended covers every offset once, within the limit."""
    at, ends = {P0: 3, A0: 4}, {P0: 3 + new_p, A0: 4 + new_a}
    covered = 0
    while ranges := cut((P0, A0), at, ends, limit):
        assert 0 < size(ranges) <= limit
        assert {TopicPartition(r.topic, r.partition): r.start for r in ranges} == at
        at = {TopicPartition(r.topic, r.partition): r.end for r in ranges}
        covered += size(ranges)
    assert at == ends
    assert covered == new_p + new_a


def test_bad_data_is_halved_down_to_one_record() -> None:
    """A failing slice of 1000 offsets ends, in bounded attempts, at one record that is given up."""
    patience, offsets, attempts = Patience(1000, 1000), 1000, 0
    while not patience.data_failure(offsets):
        offsets, attempts = patience.limit, attempts + 1
        assert attempts < 15
    assert offsets == 1


def test_a_record_gets_a_second_chance() -> None:
    """One failure of a single record is not enough to give it up."""
    patience = Patience(1, 1000)
    assert not patience.data_failure(1)
    assert patience.data_failure(1)


def test_outages_wait_longer_but_not_for_ever() -> None:
    """An outage doubles the wait up to 10 s; by itself it leaves the slice as large as it was."""
    patience = Patience(1000, 1000)
    waits = [patience.outage() for _ in range(9)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == 10.0
    assert patience.limit == 1000


def test_a_slice_that_is_too_large_for_the_world_shrinks_until_it_gets_through() -> None:
    """Three outages in a row halve it, down to one offset and no further; each success doubles it again."""
    patience, limits = Patience(1000, 1000), []
    for _ in range(40):
        patience.outage_of(patience.limit)
        limits.append(patience.limit)
    assert limits[:7] == [1000, 1000, 500, 500, 500, 250, 250]
    assert limits[-1] == 1
    assert patience.failures == 0
    for _ in range(10):
        patience.succeeded(1)
    assert (patience.limit, patience.calm) == (1000, True)


def test_success_grows_slices_back() -> None:
    """After the bad record the slices double until they are full again."""
    patience = Patience(1, 8)
    assert not patience.calm
    for _ in range(5):
        patience.succeeded(1)
    assert patience.limit == 8
    assert patience.calm


def test_little_news_is_one_run() -> None:
    """Slices share a run up to the limit of one slice."""
    calm = [Patience(100, 100), Patience(100, 100)]
    assert one_run([40, 60], calm, 100)
    assert not one_run([40, 61], calm, 100)


def test_after_a_failure_each_slice_runs_alone() -> None:
    """An outage or a failure on data keeps a unit out of its neighbours' runs until it has recovered."""
    for fail in (Patience.outage, lambda patience: patience.data_failure(10)):
        calm, hurt = Patience(100, 100), Patience(100, 100)
        fail(hurt)
        assert not one_run([1, 1], [calm, hurt], 100)
        while not hurt.calm:
            hurt.succeeded(1)
        assert one_run([1, 1], [calm, hurt], 100)


@given(st.integers(1, 500), st.data())
def test_a_deadly_record_is_found_by_halving(offsets: int, data: st.DataObject) -> None:
    """From two deaths on, each slice halves what is in danger; few more deaths lead to the one record."""
    bad = data.draw(st.integers(0, offsets - 1))
    start, died = 0, [(0, offsets)] * 2
    while died.count((bad, bad + 1)) < 2:
        left = min((end - start for first, end in died if first <= start < end), default=0)
        patience = Patience(offsets, offsets, danger=left, alone=True)
        while start + patience.next_limit <= bad:
            done = patience.next_limit
            start, _ = start + done, patience.succeeded(done)
        died.append((start, start + patience.next_limit))
        assert len(died) <= 4 + offsets.bit_length()


def test_danger_ends_where_the_suspected_records_end() -> None:
    """A process that survived them all was killed by something else; slices share runs again."""
    patience = Patience(100, 100, danger=3, alone=True)
    assert (patience.next_limit, patience.calm) == (1, False)
    for left in (2, 1, 0):
        patience.succeeded(1)
        assert (patience.danger, patience.calm) == (left, left == 0)
    assert patience.next_limit == 100


def test_replanning_is_quick_at_first_and_never_a_race() -> None:
    """A slice that has to be planned again and again waits, up to 10 s."""
    patience = Patience(10, 10)
    waits = [patience.replan() for _ in range(12)]
    assert waits[:5] == [0.0, 0.0, 0.0, 1.0, 2.0]
    assert waits[-1] == 10.0
    patience.succeeded(1)
    assert patience.replan() == 0.0


def test_the_second_crash_in_a_row_suspects_the_data() -> None:
    """One crash may be anybody's fault."""
    patience = Patience(10, 10)
    assert [patience.crashed(), patience.crashed()] == [False, True]
    patience.succeeded(1)
    assert not patience.crashed()
