"""The measurement of skill: rows as the product's, measures as by hand, nothing is looked at too early."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from bench import report_skill, skill, skill_fold, skill_key, skill_rows
from bench.skill_fold import CANDIDATES, days_of, folds_of, measure
from bench.skill_key import basis
from bench.skill_measures import ALL, CLEAN, kinds, measures, populations, thirds
from bench.skill_rows import load, outcomes, write_rows
from tasks.core import learners
from tasks.core.features import compute
from tasks.core.panel import Panel
from tasks.core.simulator import history_table, simulate
from tasks.core.walkforward import Fold, every
from tests.small_models import small

SESSIONS, SYMBOLS = 300, 20


@pytest.fixture(scope="module")
def days() -> Any:
    """A simulated market."""
    return [(one.date, one.rows) for one in simulate(SESSIONS, SYMBOLS, seed=4)]


@pytest.fixture(scope="module")
def file(days: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its rows."""
    target = tmp_path_factory.mktemp("skill") / "rows.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.ourside.RESULT_BYTES", 5 * 2**20)  # several blocks
        write_rows(days, target)
    return target


def test_rows_hold_the_features_and_what_came_next(file: Path, days: Any) -> None:
    """Of blocks put together: a row has the features that one computation gives it, and the next close."""
    rows = load(file, ["RSI", "ret_1"])
    whole = compute(Panel.from_sessions(days)).set_index(["symbol", "date"])
    for key in rows.keys.iloc[:: len(rows) // 40].itertuples():
        row, after = (whole.loc[(key.symbol, day.date()), :] for day in (key.date, key.target_date))
        assert np.array_equal(
            rows.features[key.Index], np.float32([row["RSI"], row["ret_1"]]), equal_nan=True
        )
        assert key.raw == pytest.approx(np.log(after["last_close"] / row["last_close"]))
        assert np.float64(key.target) == pytest.approx(after["ret_1"], nan_ok=True)
    assert not file.with_suffix(".parts").exists()


def test_only_the_markets_next_session_is_an_outcome() -> None:
    """A symbol that stays away has none; a move beyond the band has one, and no target."""
    first = date(2024, 3, 3)
    told = [
        ("A", 0, 10.0, 0.0),
        ("B", 0, 10.0, 0.0),
        ("A", 1, 5.0, np.nan),
        ("B", 2, 11.0, 0.1),
        ("A", 2, 5.0, 0.0),
    ]
    keys = pd.DataFrame(told, columns=["symbol", "date", "last_close", "ret_1"])
    keys = keys.assign(date=[first + timedelta(days=k) for k in keys["date"]], turnover_mean_20=1.0)
    found = outcomes(keys)
    assert found[["symbol", "last_close", "raw"]].to_numpy().tolist() == [
        ["A", 10.0, pytest.approx(np.log(0.5))],
        ["A", 5.0, 0.0],
    ]
    assert found["target"].isna().tolist() == [True, False]
    assert found.index.tolist() == [0, 2]


def test_what_is_not_to_be_looked_at_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without files it says what it needs; the daily ones are opened for the last test alone."""
    monkeypatch.setenv("NEPSE_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="NEPSE_DATA names no folder"):
        skill_rows.sessions(last_test=False)
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / "2024_03_04.csv").write_text("no price file")
    table = history_table(list(simulate(3, 8, start=date(2025, 4, 29))))
    table.to_parquet(tmp_path / "history.parquet")
    with pytest.raises(SystemExit, match="not to be looked at"):
        skill_rows.sessions(last_test=False)
    assert skill_rows.sessions(last_test=True)[-1][0] <= skill_rows.NEWEST


def test_folds_of_choosing_know_nothing_of_the_last_test() -> None:
    """What is forecast from the history's last session is about the first session of the last test."""
    days = [date(2018, 1, 1) + timedelta(days=k) for k in range(2600)]
    folds = folds_of(days)
    assert [fold.name for fold in folds["choosing"]] == ["2019", "2020", "2021", "2022", "2023", "2024"]
    assert folds["choosing"][-1].until < skill_rows.CHOSEN_UNTIL == folds["last test"][0].since
    history = [day for day in days if day <= skill_rows.CHOSEN_UNTIL]
    assert folds_of(history) == {"choosing": folds["choosing"]}


def some_forecasts(seed: int = 0, sessions: int = 40, symbols: int = 30) -> pd.DataFrame:
    """Forecasts that know a part of what came."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(0, 0.02, sessions * symbols)
    days = pd.to_datetime(np.repeat(pd.bdate_range("2024-01-01", periods=sessions), symbols))
    told = pd.DataFrame({"symbol": np.tile([f"S{k}" for k in range(symbols)], sessions), "date": days})
    told = told.assign(last_close=generator.uniform(100, 900, len(told)), raw=raw, predicted=0.3 * raw)
    told = told.assign(liquidity=generator.normal(size=len(told)), target_date=days)
    ends = {
        f"{side}_{level}": sign * width
        for side, sign in (("low", -1), ("high", 1))
        for level, width in (("80", 0.0256), ("95", 0.0392))
    }
    return told.assign(**ends)


def test_measures_are_the_textbook_ones() -> None:
    """A forecast of three tenths of every return saves three tenths of the error, all directions right."""
    told = some_forecasts()
    found = measures(told)
    assert found["skill_rmse_return"] == pytest.approx(0.3)
    assert found["skill_mae_return"] == pytest.approx(0.3)
    assert (found["rank_ic"], found["hit"], found["balanced"]) == pytest.approx((1.0, 1.0, 1.0))
    assert found["skill_low"] == pytest.approx(0.3) == found["skill_high"]
    assert found["dm_p"] < 1e-6
    assert found["coverage_80"] == pytest.approx(0.8, abs=0.03)
    assert found["width_95"] == pytest.approx(0.0784)
    close = told["last_close"] * np.exp(told["raw"])
    assert found["persistence_mae_rupees"] == pytest.approx((close - told["last_close"]).abs().mean())
    flat = measures(told.assign(predicted=0.0))
    assert (flat["skill_rmse_rupees"], flat["dm_p"], flat["rows"]) == (0.0, 0.5, len(told))


def test_rows_are_cut_by_what_they_are() -> None:
    """Moves beyond the band count among all rows only; each third of a session has a third of its rows."""
    told = some_forecasts()
    told.loc[::50, "raw"] = np.log(0.5)
    cut = dict(populations(told))
    assert len(cut[ALL]) == len(told) == len(cut[CLEAN]) + len(told.loc[::50])
    assert {"shares", "liquidity low", "liquidity middle", "liquidity high"} == set(cut) - {ALL, CLEAN}
    assert thirds(told).value_counts().tolist() == [len(told) // 3] * 3
    assert thirds(told.assign(liquidity=np.nan)).isna().all()


def test_instruments_are_told_by_symbol_and_price() -> None:
    """A symbol that ends in P is a promoter share only beside the share itself."""
    closes = pd.Series(
        {"NABIL": 500.0, "NABILP": 300.0, "NABILPO": 200.0, "TRP": 400.0, "NIBLPF": 9.0, "NICAD85/86": 1e3}
    )
    assert kinds(closes) == {
        "NABIL": "shares",
        "NABILP": "promoter shares",
        "NABILPO": "promoter shares",
        "TRP": "shares",
        "NIBLPF": "funds",
        "NICAD85/86": "debentures",
    }


@pytest.fixture(scope="module")
def work(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the rows are there already."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "rows.parquet").hardlink_to(file)
    span = {"rows": 1, "sessions": 2, "symbols": 3, "span": ["a", "b"], "seconds": 4, "peak": 5.0}
    (folder / "rows.json").write_bytes(orjson.dumps(span))
    return folder


@pytest.fixture(scope="module")
def figures(work: Path) -> dict[str, Any]:
    """The whole of it on the simulated market, in this process and with few trees."""
    last = days_of(load(work / "rows.parquet", ()))[-30]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learners, "BOOSTED", small(4))
        patch.setattr(skill, "HALVES", pd.Timestamp(last))
        patch.setattr(skill, "AVERAGED", pd.Timestamp(last))
        patch.setattr(skill, "folds_of", simulated_folds)
        patch.setattr(skill_fold, "folds_of", simulated_folds)
        patch.setattr(skill_fold, "peak", lambda: 6.0)
        patch.setattr(skill, "part", lambda _module, *arguments: one_fold(patch, *arguments))
        return skill.run(work, last_test=True)


def simulated_folds(days: list[date]) -> dict[str, list[Fold]]:
    """Two folds for choosing, one as the last test."""
    choosing = every(days, days[180], days[239], 30)
    return {"choosing": choosing, "last test": every(days, days[240], days[-1], 60)}


def one_fold(patch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Do a fold's part in this process."""
    patch.setattr("sys.argv", ["skill_fold", *map(str, arguments)])
    skill_fold.main()


def test_the_page_has_every_line(figures: dict[str, Any]) -> None:
    """Each candidate in each period, clean rows and all, groups, times, and the targets."""
    page = report_skill.page(figures)
    told = figures["periods"]["blend"]
    assert list(told)[-1] == "last test"
    for one in CANDIDATES.values():
        assert page.count(f"| {one.told} |") == 2 * len(told) + 1
    assert page.count("| liquidity high |") == 2
    assert all(f"| {target} |" in page for target in report_skill.TARGETS)
    assert "not measured" not in page
    assert "nan" not in page
    assert "The last test was not run" not in page


def test_without_the_last_test_the_page_says_so(figures: dict[str, Any]) -> None:
    """Its targets are not measured; what needs no last test is."""
    kept = {
        name: {period: one for period, one in told.items() if one["kind"] == skill.CHOOSING}
        for name, told in figures["periods"].items()
    }
    page = report_skill.page({**figures, "periods": kept})
    assert "The last test was not run" in page
    assert page.count("not measured") == len(report_skill.TARGETS) - 3


def test_what_is_done_is_not_done_again(
    figures: dict[str, Any], work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold whose forecasts are there is left as it is: nothing is measured."""
    monkeypatch.setattr(skill_fold, "measure", None)
    name = next(iter(figures["took"]["blend"]))
    one_fold(monkeypatch, work / "rows.parquet", name, work)
    assert len(list(work.glob(f"{name}.*.parquet"))) == len(CANDIDATES)


def test_memory_is_that_of_whoever_did_it(figures: dict[str, Any]) -> None:
    """Kept beside the forecasts: a run that finds them there held nothing itself."""
    assert figures["peak"] == 6.0
    assert {one["peak"] for folds in figures["took"].values() for one in folds.values()} == {6.0}


def test_the_longest_history_is_the_one_of_most_rows(figures: dict[str, Any]) -> None:
    """Not the slowest fold, whatever else the machine did then."""
    blend = {name: {**one, "training_seconds": 9.0} for name, one in figures["took"]["blend"].items()}
    longest = list(blend)[-1]
    blend[longest]["training_seconds"] = 4.0
    targets = [target.name for target in report_skill.TARGETS]
    place = targets.index("seconds of a training on the longest history")
    assert report_skill.reached({**figures, "took": {"blend": blend}})[place] == 4.0


def test_rows_of_a_run_that_was_killed_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are whole once they are described."""
    (tmp_path / "rows.parquet").write_bytes(b"half of them")
    asked: list[object] = []

    def stop(*arguments: object) -> None:
        asked.extend(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(skill, "part", stop)
    with pytest.raises(KeyboardInterrupt):
        skill.run(tmp_path, last_test=False)
    assert asked == ["bench.skill_rows", tmp_path / "rows.parquet"]


def test_a_fold_is_timed(file: Path) -> None:
    """Training and predicting; the forecasts are those of the fold's sessions."""
    rows = load(file, CANDIDATES["ridge"].features)
    fold = simulated_folds(days_of(rows))["choosing"][0]
    told, took = measure(rows, fold, CANDIDATES["ridge"])
    assert set(took) == {"training_seconds", "prediction_ms", "rows"}
    assert min(took.values()) > 0
    assert told["date"].between(pd.Timestamp(fold.since), pd.Timestamp(fold.until)).all()


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    """Every figure of it: none was written by hand, or by another run."""
    if not report_skill.PAGE.exists():
        pytest.skip("docs/reference/skill.md was not written yet: make skill does")
    figures = orjson.loads(report_skill.FIGURES.read_bytes())
    assert report_skill.PAGE.read_text() == report_skill.page(figures)


def test_a_period_is_told_by_what_it_spans() -> None:
    """The last year of the history goes on into the next one, which is too short for a year of its own."""
    folds = [("2022", "2022-01-02", "2022-12-29"), ("2023", "2023-01-01", "2024-02-29")]
    figures = {"folds": {"choosing": folds, "last test": [("2024-03-03", "2024-03-03", "2024-06-04")]}}
    told = [report_skill.label(figures, name) for name in ("2022", "2023", "2024-03-03", "all years")]
    assert told == ["2022", "2023 to 2024-02", "2024-03-03", "all years"]


def test_what_other_code_or_other_files_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a folder of its own; what does not touch forecasts changes nothing."""
    code, data = tmp_path / "code", tmp_path / "data"
    (code / "tasks" / "core").mkdir(parents=True)
    (data / "daily").mkdir(parents=True)
    (code / "tasks" / "core" / "learners.py").write_text("WEIGHTS = 1")
    (data / "history.parquet").write_bytes(b"some")

    def name(*, last_test: bool = False) -> str:
        return basis(last_test=last_test, root=code, data=data)

    first = name()
    (code / "tasks" / "told.py").write_text("")
    (data / "daily" / "a.csv").write_bytes(b"of the last test")
    assert name() == first
    tested = name(last_test=True)
    (data / "daily" / "a.csv").write_bytes(b"corrected")
    (code / "tasks" / "core" / "learners.py").write_text("WEIGHTS = 2")
    changed = name()
    (code / "tasks" / "core" / "rules.toml").write_text("holidays = []")
    ruled = name()
    (data / "history.parquet").write_bytes(b"more")
    more = name()
    monkeypatch.setattr(skill_key, "version", lambda _: "2.0")
    assert len({first, tested, name(last_test=True), changed, ruled, more, name()}) == 7


def test_the_files_are_those_of_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none are given."""
    (tmp_path / "history.parquet").write_bytes(b"some")
    monkeypatch.setenv("NEPSE_DATA", str(tmp_path))
    found = basis(last_test=False)
    assert found == basis(last_test=False, data=tmp_path)
    monkeypatch.delenv("NEPSE_DATA")
    assert found != basis(last_test=False)


def test_what_is_kept_lies_below_what_it_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was given before is no reason to believe what is in it."""
    seen: list[Path] = []
    (tmp_path / "rows.parquet").write_bytes(b"of yesterday's code")
    monkeypatch.setattr(skill, "run", lambda work, **_: seen.append(work) or {})
    monkeypatch.setattr(report_skill, "page", lambda _: "")
    monkeypatch.setattr("sys.argv", ["skill", "--work", str(tmp_path)])
    skill.main()
    assert seen == [tmp_path / basis(last_test=False)]
    assert list(seen[0].iterdir()) == []
