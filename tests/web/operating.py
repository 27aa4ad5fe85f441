"""A pipeline with letters and alerts in memory, on top of the canned market."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.database.reads import alerts, letters, pipeline
from infra.database.reads.alerts import STATES
from infra.database.reads.pipeline import Commit, Moments, Spot
from infra.kafka.topics import partitions
from infra.settings import Settings
from infra.stack.conditions import Condition
from infra.wiring import routes
from tests.web.canned import Canned, Row
from web import overview

REFUSED = (
    b'{"event_type": "FeaturesComputed", "payload": {"symbol": "NABIL", "date": "2024-03-04", \x00\xff}}\n'
)
LETTERS = (
    (
        "predict",
        "FeaturesComputed 2f1c: the features are of set 3, the version in office knows set 2",
        "features",
    ),
    ("predict", "the event is no JSON: unexpected character at 64", "features"),
    ("join-errors", "as_of 2024-03-04 does not lie before the session 2024-03-03", "predictions"),
    ("compute-features", "s3://nepse-raw/2024-02-29.parquet has no column `close`", "raw-data"),
    ("monitor", "ErrorComputed does not belong on alerts", "errors"),
)
ALERTS = (
    ("pct_error", "critical", "NABIL was predicted 12.4 % above its close", 12.4, 9.0, "percent", "NABIL"),
    ("lagging_seconds", "warning", "predict: the oldest event has waited for 48 s", 48.0, 15.0, "s", None),
    ("abs_error", "warning", "UPPER was predicted 61.20 rupees below its close", 61.2, 50.0, "NPR", "UPPER"),
    ("dead_letters", "warning", "3 letters of predict within an hour", 3.0, 0.0, "letters", None),
    ("outside_95", "info", "NICA closed outside its 95 % interval", 1.0, 0.0, None, "NICA"),
    ("coverage_95", "warning", "v3: 18.3 % of the closes lay outside of 95 %", 0.183, 0.15, None, None),
)


class Operating(Canned):
    """A loop at work: a test lets flows wait, letters come and alerts stand."""

    def __init__(self, symbols: tuple[str, ...] = ("NABIL", "NICA", "UPPER"), count: int = 30) -> None:
        """Let every flow have committed a moment ago, and some letters and alerts be there."""
        super().__init__(symbols=symbols, count=count)
        self.now = datetime.now(UTC)
        settings = Settings()
        places = ((name, number) for name in overview.TABLES for number in range(partitions(settings, name)))
        self.offsets = self.offsets | dict.fromkeys(places, 4_000)
        self.commits: dict[Spot, Commit] = {}
        self.waits: dict[Spot, datetime] = {}
        self.conditions: list[Condition] = []
        for number, route in enumerate(routes()):
            for topic in route.topics:
                for partition in range(partitions(settings, topic)):
                    self.commit((route.flow, topic, partition), 2.0 + 3 * number)
            self.say(route.name, "working", "")
        for number in range(len(LETTERS)):
            self.letter(number)
        for number in range(len(ALERTS)):
            self.alert(number)

    def commit(self, spot: Spot, seconds: float) -> None:
        """Let a flow have committed all of a partition so long ago."""
        at, models = self.now - timedelta(seconds=seconds), ["v3"] if spot[0] == "predict" else []
        self.commits[spot] = Commit(4_000, at, f"run-of-{spot[0]}", models, 3_900, 4_000, at)

    def wait(self, flow: str, topic: str, seconds: float, partition: int = 0) -> None:
        """Let events of a partition wait for a flow, and its last commit be that long ago."""
        spot = (flow, topic, partition)
        self.commit(spot, seconds)
        self.commits[spot] = self.commits[spot]._replace(end=3_660)
        self.waits[spot] = self.now - timedelta(seconds=seconds)

    def say(self, sensor: str, state: str, why: str) -> None:
        """Let a copy of a sensor say how it is."""
        since = (self.now - timedelta(minutes=42)).isoformat()
        self.conditions = [one for one in self.conditions if one.sensor != sensor]
        self.conditions.append(Condition(sensor, "here", state, why, since, 1, None))

    def letter(self, number: int, **more: Any) -> Row:
        """Let a record be refused."""
        flow, reason, topic = LETTERS[number % len(LETTERS)]
        row = {
            "letter_id": f"{number:02}f0a9c3e-letter",
            "flow": flow,
            "reason": reason,
            "error_class": "RejectError",
            "offset": number,
            "source_topic": topic,
            "source_partition": 1,
            "source_offset": 170 + number,
            "run_id": f"run-{number}",
            "timestamp": self.now - timedelta(minutes=7 * number + 1),
            "size": len(REFUSED),
            "attempts": 1 + number % 3,
            "resolved": number == len(LETTERS) - 1,
            "headers": {"flow": flow, "reason": reason, "source_topic": topic},
            "key": b"NABIL",
            "value": REFUSED,
        } | more
        self.letters.append(row)
        return row

    def alert(self, number: int, **more: Any) -> Row:
        """Let an alert stand."""
        rule, severity, message, value, threshold, unit, symbol = ALERTS[number % len(ALERTS)]
        row = {
            "alert_id": f"{number:02}b7e-alert",
            "rule": rule,
            "state": STATES[max(0, number - 3)],
            "severity": severity,
            "message": message,
            "symbol": symbol,
            "date": self.days[-1] if symbol else None,
            "value": value,
            "threshold": threshold,
            "unit": unit,
            "labels": {"symbol": symbol} if symbol else {"flow": "predict"},
            "runbook": "docs/how-to/several-sensors.md" if rule == "lagging_seconds" else None,
            "historic": False,
            "times": 1 + number,
            "first_raised": self.now - timedelta(hours=number + 2),
            "last_raised": self.now - timedelta(minutes=9 * number + 2),
            "resolved_at": None,
            "acknowledged_by": "Sita" if number == 4 else None,
            "note": "looks at the interval" if number == 4 else None,
            "correlation_id": "c-2024-03-04",
            "raised_offset": 100 - number,
        } | more
        self.alerts.append(row)
        return row

    def fakes(self) -> dict[tuple[Any, str], Callable[..., Any]]:
        """Give what stands in for each query, by module and name."""
        last = self.now - timedelta(seconds=2)
        return super().fakes() | {
            (pipeline, "newest_slices"): lambda *_: self.commits,
            (pipeline, "moments"): lambda _, __, spots, ___: [self._moments(spot) for spot in spots],
            (pipeline, "last_events"): lambda *_: dict.fromkeys(overview.TABLES, last),
            (overview, "conditions"): lambda _: self.conditions,
            (letters, "listed"): self._letters,
            (letters, "still_open"): lambda _: Counter(x["flow"] for x in self.letters if not x["resolved"]),
            (alerts, "listed"): self._alerts,
            (alerts, "counts"): lambda _: Counter(a["state"] for a in self.alerts),
        }

    def _moments(self, spot: Spot) -> Moments:
        commit = self.commits.get(spot)
        began = commit.at - timedelta(seconds=0.4 + 0.3 * len(spot[0])) if commit else None
        return Moments(self.waits.get(spot), began)

    def _letters(
        self, _: Any, *, before: int, limit: int, resolved: bool | None, flow: str | None
    ) -> list[Row]:
        fits = (x for x in self.letters if resolved in {None, x["resolved"]} and flow in {None, x["flow"]})
        return sorted((x for x in fits if x["offset"] < before), key=lambda x: -x["offset"])[:limit]

    def _alerts(self, _: Any, *, before: int, limit: int, historic: bool, **wanted: Any) -> list[Row]:
        asked = {name: value for name, value in wanted.items() if value is not None}
        fits = (a for a in self.alerts if all(a[name] == value for name, value in asked.items()))
        shown = (a for a in fits if a["raised_offset"] < before and (historic or not a["historic"]))
        return sorted(shown, key=lambda a: -a["raised_offset"])[:limit]
