"""Sessions end on their days in whatever order files come: a simulated folder, spoiled, and the real one."""

import csv
import io
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.settings import Settings
from tasks.core.calendar import load_rules
from tasks.core.claims import Claim, Kind
from tasks.core.likeness import Relation, likeness
from tasks.core.places import in_order
from tasks.core.prices import content_hash, file_date, read_daily, read_prices
from tasks.core.simulator import Oddities, write_market
from tests.claims import Shelf, claim, mixture, snapshot

SEEDS = 4
SESSIONS = 12
PHANTOMS = {date(2011, 6, 20), date(2016, 9, 3)}
"""Days of the history whose rows are the session's before, or after."""


@dataclass(frozen=True)
class Folder:
    """Daily files as claims, and the sessions that they hold."""

    claims: list[Claim]
    truth: dict[date, str]

    def own(self, day: date) -> Claim:
        """The file that is named for a session."""
        return next(one for one in self.claims if one.named == day)


@cache
def simulated(seed: int) -> Folder:
    """A market's folder: a file every day of the week, repeats on weekends and holidays, doubled files."""
    odd = Oddities(doubled=0.2, recomputed=0.5)
    files = dict(
        write_market(
            sessions=SESSIONS, symbols=24, seed=seed, daily=SESSIONS, start=date(2023, 4, 9), oddities=odd
        )
    )
    truth, claims = {}, []
    for line in csv.DictReader(io.StringIO(files["manifest.csv"].decode())):
        rows = read_daily(files[f"daily/{line['file']}"], line["file"]).rows
        claims.append(claim(rows, file_date(line["file"])))
        truth[date.fromisoformat(line["data_date"])] = content_hash(rows)
    return Folder(claims, truth)


@dataclass(frozen=True)
class Spoil:
    """An oddity, and how many of its rows are new where it has stale ones."""

    oddity: str
    fresh: int


def spoiled(folder: Folder, spoils: dict[int, Spoil]) -> list[Claim]:
    """Spoil the files of some sessions, by their number; the sessions can still be told from all files."""
    claims = list(folder.claims)
    for number, spoil in spoils.items():
        before, day, after = _around(folder, number)
        own = folder.own(day)
        early = snapshot(own.rows())
        mixed = claim(mixture(folder.own(before).rows(), early, early["symbol"].head(spoil.fresh)), day)
        if spoil.oddity == "partial":
            claims.append(claim(early, day))
        elif spoil.oddity == "mixture":
            claims.append(mixed)
        elif spoil.oddity == "late mixture" and after not in folder.truth:  # whose file has this session, too
            claims[claims.index(own)] = mixed
        elif spoil.oddity == "misdated" and not load_rules().trading_day(after):
            claims.remove(own)
        elif spoil.oddity == "stale" and not load_rules().trading_day(after):
            claims[claims.index(own)] = claim(folder.own(before).rows(), day)
    return claims


def _around(folder: Folder, number: int) -> tuple[date, date, date]:
    """A session by its number, the one before it, and the day after it."""
    before, day = list(folder.truth)[number - 1 : number + 1]
    return before, day, day + timedelta(days=1)


SPOILS = st.dictionaries(
    st.integers(1, SESSIONS - 2),
    st.builds(
        Spoil,
        st.sampled_from(["partial", "mixture", "late mixture", "misdated", "stale"]),
        st.integers(5, 20),
    ),
    max_size=5,
)


@given(st.integers(0, SEEDS - 1), SPOILS, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_ends_in_the_same_sessions(
    seed: int, spoils: dict[int, Spoil], order: random.Random
) -> None:
    """One file a command, in any order, ends as the truth says; so does one command with all of them."""
    folder = simulated(seed)
    claims = spoiled(folder, spoils)
    order.shuffle(claims)
    single, together = Shelf(), Shelf()
    for one in claims:
        single.command(one)
    together.command(*in_order(claims))
    assert together.days() == single.days() == folder.truth


@pytest.fixture(scope="module")
def data() -> Path:
    """Folder of the exchange's real files, where the setting points to one."""
    where = Settings().data
    if where is None or not (Path(where) / "manifest.csv").is_file():
        pytest.skip("no real exchange files: NEPSE_DATA names no folder with a manifest.csv")
    return Path(where)


@pytest.fixture(scope="module")
def real(data: Path) -> Folder:
    """The daily files, each read once, with the manifest's truth."""
    truth, claims = {}, []
    for line in csv.DictReader(io.StringIO((data / "manifest.csv").read_text())):
        rows = read_daily((data / "daily" / line["file"]).read_bytes(), line["file"]).rows
        claims.append(claim(rows, date.fromisoformat(line["file_date"])))
        truth[date.fromisoformat(line["data_date"])] = claims[-1].digest
    return Folder(claims, truth)


@pytest.fixture(scope="module")
def history(data: Path) -> Folder:
    """The price history's sessions; the truth leaves out the two days that repeat a neighbour."""
    table = read_prices((data / "history.parquet").read_bytes(), "history.parquet")
    claims = [claim(content.rows, day, dated=True) for day, content in table]
    truth = {one.named: one.digest for one in claims if one.named and one.named not in PHANTOMS}
    return Folder(claims, truth)


@pytest.mark.parametrize("order", ["sorted", "reversed", "shuffled 1", "shuffled 2", "shuffled 3"])
def test_the_real_files_end_as_the_manifest_says(real: Folder, order: str) -> None:
    """One file a command, in any order and then all again: every repeat found, no session lost."""
    claims = list(real.claims)
    if order == "reversed":
        claims.reverse()
    elif order != "sorted":
        random.Random(order).shuffle(claims)
    shelf, found = Shelf(), Counter[Kind]()
    for one in claims:
        found.update(verdict.kind for verdict in shelf.command(one))
    assert shelf.days() == real.truth
    assert found[Kind.SESSION] == len(real.truth) == 266
    assert found[Kind.REPEAT] + found[Kind.MOVED] == 157
    assert {verdict.kind for verdict in shelf.command(*claims)} == {Kind.REPEAT}
    assert shelf.days() == real.truth


@pytest.mark.parametrize("first", ["history", "files"])
def test_the_real_files_on_top_of_the_history(real: Folder, history: Folder, first: str) -> None:
    """Both together, in either order, are all sessions but the history's two phantom days."""
    files = random.Random(4).sample(real.claims, len(real.claims))
    shelf = Shelf()
    for batch in [history.claims, files] if first == "history" else [files, history.claims]:
        shelf.command(*batch)
    assert shelf.days() == history.truth | real.truth


def test_the_thresholds_are_far_from_the_real_sessions(real: Folder, history: Folder) -> None:
    """Each session of the daily files is told to follow the last; nowhere do two look the same or mixed."""
    files = {one.digest: one.rows() for one in real.claims}
    daily = [files[digest] for digest in real.truth.values()]
    assert {likeness(one, after).relation for one, after in pairwise(daily)} == {Relation.NEXT}
    assert {likeness(one, later).relation for one, later in zip(daily, daily[2:], strict=False)} == {
        Relation.UNKNOWN
    }
    older = [one.rows() for one in history.claims if one.named not in PHANTOMS]
    likes = [likeness(one, after) for one, after in pairwise(older)]
    assert max(like.equal for like in likes) == 2
    assert {like.relation for like in likes} == {Relation.NEXT, Relation.UNKNOWN}
    assert not any(like.left_over for like in likes)
