"""The benchmarks' page: one part a topic, each replaced alone; missed targets are named."""

from pathlib import Path

import pandas as pd
import pytest

from bench import (
    alerts,
    backfill,
    features,
    models,
    processes,
    report,
    report_alerts,
    report_backfill,
    report_features,
    report_models,
    report_wide,
    wide,
)

TARGETS = (report.Target("speed", 10, "{:.1f}"), report.Target("seconds", 2, "{:.2f}", most=True))


def measured_features() -> features.Figures:
    """Figures as a run gives them."""
    shape = {"source": "a test", "rows": 1000, "symbols": 10, "sessions": 100, "features": 55, "set": "1"}
    times = {"SMA": 0.4, features.TOGETHER: 0.5, features.SHARED: 0.1}
    family = {
        "features": {"SMA": ["SMA_20", "a", "b", "c"]},
        "ours": times,
        "theirs": {"SMA": 0.1, "together": 0.4},
    }
    warm = {"sessions": 2300, "vectors": 350, "peak": 400.0, "computed_worst": 90.0, "written": 2.0}
    return features.Figures(
        market=shape,
        agreement={"TA-Lib": [["SMA_20", 900, 1e-12, 0], ["ret_5", 800, 3e-11, 0]]},
        whole={"1": _whole(1000, 2.0, 500.0), "10": _whole(10_000, 25.0, 2600.0)},
        families={"1": family, "10": family},
        groupby={"rows": 100, "of": 1000, "symbols": 2, "features": 33, "seconds": 3.0, "peak": 300.0},
        sessions={"10": {**warm, "computed": 80.0}, "30": {**warm, "computed": 100.0}},
        encoding="| a table |\n",
    )


def _whole(rows: int, seconds: float, peak: float) -> dict[str, float]:
    return {"rows": rows, "seconds": seconds, "reading": 1.0, "peak": peak}


def measured_backfill() -> backfill.Figures:
    """Figures as a run gives them."""
    ran = {"seconds": 100.0, "peak": 900.0}
    return backfill.Figures(
        market={"source": "a test", "rows": 1000, "sessions": 100},
        ingest=ran,
        backfill=ran | {"vectors": 400_000},
        again=ran | {"vectors": 0},
        events={"events": 400_000, "features": 180, "bytes": 8000.0, "bytes_on_disk": 3000.0},
        sending={"events": 50_000, "seconds": 5.0, "transaction": 5000, "peak": 200.0},
        rebuild={"read side": ran | {"rows": 350}, "table": ran | {"rows": 400_000, "bytes_a_row": 700.0}},
        computing={"this process": ran | {"vectors": 400_000}},
        beside={
            "alone": [1.0, 0.5, 0.7],
            "beside": [1.2, 3.0, 2.0],
            "seconds": 40.0,
            "vectors": 100_000,
            "sessions": 300,
            "symbols": 350.0,
        },
    )


def test_a_topic_replaces_its_own_part_only(tmp_path: Path) -> None:
    """The others' parts and figures stay, in the order of the page."""
    page = tmp_path / "page.md"
    report.write("features", "## F\n\nstale\n", {"n": 1}, page)
    report.write("join", "## J\n", {"n": 2}, page)
    report.write("features", "## F\n\nfresh\n", {"n": 3}, page)
    text = page.read_text()
    assert text.startswith("# Benchmarks\n")
    assert text.index("## J") < text.index("## F")
    assert "stale" not in text
    assert text.count("## F") == text.count("fresh") == 1
    assert report.saved(page.with_suffix(".json")) == {"join": {"n": 2}, "features": {"n": 3}}


def test_the_page_of_the_project_has_parts() -> None:
    """Another topic leaves the join's part of today's page as it is."""
    page = report.PAGE.read_text()
    changed = report.with_part(page, "backfill", "## B\n")
    ours = [text.split("<!-- part: join -->")[1].split("<!-- end of part -->")[0] for text in (page, changed)]
    assert ours[0].startswith("\n## The join\n")
    assert ours[0] == ours[1]
    assert "<!-- part: backfill -->\n## B\n<!-- end of part -->\n" in changed


def test_targets_are_met_from_above_or_below() -> None:
    """At least, at most, and not measured."""
    assert report.missed(TARGETS, [10, 2]) == []
    assert report.missed(TARGETS, [9.9, 2.1]) == ["speed", "seconds, at most"]
    assert report.missed(TARGETS, [None, 2.1]) == ["seconds, at most"]
    rows = report.rows(TARGETS, [9.9, None]).splitlines()
    assert rows[2:] == ["| speed | 10 | 9.9 | no |", "| seconds, at most | 2 | not measured |  |"]


def test_the_features_part_says_what_was_extrapolated() -> None:
    """Ten times the symbols take the sample's time by rows; ratios and targets follow."""
    figures = measured_features()
    text = report_features.part(figures)
    assert "extrapolated by rows from 2 symbols, 100 rows | 10 | 1,000 | 30.0 | 33 | 300 | 15.0 |" in text
    assert "| 100 | 10,000 | 300.0 | 33 | 300 | 12.0 |" in text
    assert "| TA-Lib | 2 | 1,700 | 3e-11 |" in text
    assert "| SMA | `SMA_20`, `a`, `b` and 1 more | 0.400 | 0.100 | 0.400 | 0.100 |" in text
    assert "| 30 | 2,300 | 350 | 100 | 90 | 2.0 | 400 |" in text
    assert "| a table |" in text
    assert report_features.reached(figures) == [15, 12, 1.25, 80, 1.25, 2600]
    missed = report.missed(report_features.TARGETS, report_features.reached(figures))
    assert missed == [str(report_features.TARGETS[4]), str(report_features.TARGETS[5])]


def test_all_symbols_are_no_extrapolation() -> None:
    """A sample of everything is told as measured."""
    figures = measured_features()
    figures.groupby["rows"] = figures.groupby["of"]
    lines = [line for line in report_features.part(figures).splitlines() if "groupby.apply`, pandas" in line]
    assert ["extrapolated" in line for line in lines] == [False, True]


def test_the_backfill_part() -> None:
    """Speed of the backfill, minutes of it and both rebuilds, the most memory; an event's bytes."""
    figures = measured_backfill()
    text = report_backfill.part(figures)
    assert "| backfill: raw data to committed features | 400,000 | 100.0 | 4,000 | 900 |" in text
    assert "| backfill once more: nothing is missing | 0 | 100.0 |  | 900 |" in text
    assert "| sending ready-made events alone, 5,000 a transaction | 50,000 | 5.0 | 10,000 | 200 |" in text
    assert "| compute everything in this process, publish nothing | 400,000 | 100.0 | 4,000 | 900 |" in text
    assert "0.7 s after its announcement, and 2.0 s while a backfill of 300 sessions" in text
    assert "An event of 180 features has 8,000 bytes; on the broker's disk it takes 3,000." in text
    assert report_backfill.reached(figures) == [4000, 5, 900]


def test_the_wide_market_s_part() -> None:
    """Speed of the backfill; the most memory of any step; each row under a name for each copy."""
    ran = {"seconds": 100.0, "peak": 900.0}
    market = {"source": "the test", "copies": 10, "rows": 5000, "symbols": 20, "sessions": 9}
    table = ran | {"rows": 400_000, "peak": 2600.0}
    figures = wide.Figures(market, ran, ran | {"vectors": 400_000}, table)
    text = report_wide.part(figures)
    assert text.startswith("## A market of 10 times the symbols\n\nThe test, every symbol 10 times")
    assert "| fill the feature table (Delta on S3) | 400,000 | 100.0 | 4,000 | 2,600 |" in text
    assert report_wide.reached(figures) == [4000, 2600]
    rows = pd.DataFrame({"symbol": ["B", "A"], "date": [1, 1]})
    assert wide.repeated(rows, 2)["symbol"].tolist() == ["A~0", "A~1", "B~0", "B~1"]


def measured_models() -> models.Figures:
    """Figures as a run gives them."""
    shape = {"source": "a test", "rows": 1000, "symbols": 10, "sessions": 100, "set": "2"}
    took = {"first": 150.0, "warm": 62.0, "worst": 71.5, "peak": 400.0}
    return models.Figures(
        market=shape,
        training={"reading": 10.0, "fitting": 30.25, "whole": 40.25, "peak": 2600.0},
        model={"megabytes": 3.4, "features": 77, "rows": 880, "held": 12},
        loading=took,
        predicting=took | {"warm": 9.0, "vectors": 350},
    )


def test_the_models_part() -> None:
    """Steps of the training, times of a version and of a session; what is too much is named."""
    figures = measured_models()
    text = report_models.part(figures)
    assert "| fitting | 30.2 |\n| whole | 40.2 |" in text
    assert "held-out sessions\n(880 rows, 77 features)" in text
    assert "The process held 2,600 MB at most." in text
    assert "| predicting 350 vectors | 150 | 9.0 | 71.5 | 400 |" in text
    assert report_models.reached(figures) == [40.25, 2600, 62, 9]
    missed = report.missed(report_models.TARGETS, report_models.reached(figures))
    assert missed == [str(report_models.TARGETS[1])]


def test_a_wrong_backfill_is_never_timed() -> None:
    """The benchmark ends and shows what it found."""
    backfill.require(right=True, found={})
    with pytest.raises(SystemExit, match=r"answers are wrong: \{'events': 1\}"):
        backfill.require(right=False, found={"events": 1})


def test_a_command_is_watched_to_its_end() -> None:
    """Its words, its seconds and its memory are told; a failed one ends the benchmark with what it said."""
    python = processes.sys.executable
    code = "x = bytearray(50_000_000); all(n >= 0 for n in range(30_000_000)); print(7)"
    done = processes.run([python, "-c", code], watched=True)
    assert (done.words, done.seconds > 0, done.peak > 50) == ("7\n", True, True)
    assert sorted(done.figures()) == ["peak", "seconds"]
    with pytest.raises(SystemExit, match="no such thing"):
        processes.run([python, "-c", "raise SystemExit('no such thing')"])
    assert processes.peak() > 50


def test_the_part_about_alerts_tells_the_worst() -> None:
    """A target is met by the slowest shock, and missed by a message too many."""
    figures = alerts.Figures(
        shocks=[{"raised": 1.0, "told": 2.0}, {"raised": 3.0, "told": 6.0}],
        standstill={"raised": 20.0, "told": 21.0, "resolved": 16.0},
        storm={"errors": 10_000, "alerts": 20_000, "seconds": 9.0, "messages": 6},
    )
    text = report_alerts.part(figures)
    assert "| from a shock to the channel, median of 2 | 4.00 |" in text
    assert report.missed(report_alerts.TARGETS, report_alerts.reached(figures)) == [
        "seconds from the close to the channel, at worst, at most",
        "messages about a storm of 10,000 errors, at most",
    ]
