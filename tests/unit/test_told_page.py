"""The page about what was seen and told, and the files that lead to it."""

import csv
import io
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from infra.settings import load_settings
from tests.acceptance.seeing import measured, shocked
from tests.acceptance.told_page import write


def test_figures_become_rows(tmp_path: Path) -> None:
    """Counts are whole, seconds have a tenth."""
    write(tmp_path / "page.md", {"errors of a storm": 10_000, "from an error to the channel": 1.26})
    text = (tmp_path / "page.md").read_text()
    assert "| errors of a storm | 10,000 |\n| from an error to the channel | 1.3 |\n" in text


def test_a_shock_is_the_dearest_shares_close_alone() -> None:
    """All others stay as they are, and the day's high is not below the close."""
    file = b"Symbol,Open,High,Low,Close,LTP\nA,9,9,9,9.00,9\nB,100,101,99,100.00,100\n"
    symbol, data = shocked(file, 1.09)
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert symbol == "B"
    assert [row["Close"] for row in rows] == ["9.00", "109.00"]
    assert rows[1]["High"] == "109.00"
    assert rows[0] == {"Symbol": "A", "Open": "9", "High": "9", "Low": "9", "Close": "9.00", "LTP": "9"}


def test_a_metric_is_read_as_prometheus_does(tmp_path: Path) -> None:
    """The largest of those that have the labels; one that is not there is nothing."""
    registry = CollectorRegistry()
    gauge = Gauge("waited_seconds", "Waits.", ["flow", "partition"], registry=registry)
    for flow, partition, seconds in (("monitor", "0", 3.0), ("monitor", "1", 16.0), ("predict", "0", 99.0)):
        gauge.labels(flow, partition).set(seconds)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    settings = load_settings(tmp_path, metrics_port=server.server_port)
    try:
        assert measured(settings, "telling", "waited_seconds", flow="monitor") == 16.0
        assert measured(settings, "telling", "waited_seconds", flow="nobody") == 0.0
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
