"""What does not fit together in an alert rule whose every key is right by itself."""

from collections.abc import Collection, Iterator

from tasks.core.alert_rules import ABOUT, PER_EVENT, AlertRule


def contradictions(rule: AlertRule, channels: Collection[str] | None) -> Iterator[tuple[str, str]]:
    """Tell what does not fit together: the field, and why; without channels a rule may name any."""
    about = ABOUT[rule.about]
    if rule.measure not in about.measures:
        yield "measure", f"{rule.about} has no measure {rule.measure}: {', '.join(about.measures)}"
    if (rule.above is None) == (rule.below is None):
        yield "above", "a rule has one limit: above or below"
    if about.window and rule.over is None:
        yield "over", f"{rule.about} needs over, in {about.window}"
    if rule.over is not None and not about.window:
        yield "over", f"{rule.about} has no window: leave over out"
    if rule.over is not None and about.window and (rule.over_unit != about.window):
        yield "over", f"{rule.about} counts over in {about.window}, not in {rule.over_unit}"
    if (rule.statistic is not None) != (about.window == "sessions"):
        yield "statistic", "a statistic belongs to windows of sessions, and to these always"
    if rule.held_s and rule.about == PER_EVENT:
        yield "held_s", "each event is judged by itself: nothing can be held for long"
    if rule.about == PER_EVENT and "symbol" not in rule.by:
        yield "by", f"{rule.about} needs by: [symbol]: an alert is over by the next error of its own share"
    for label in set(rule.by) - set(about.labels):
        yield "by", f"{rule.about} has no label {label}: {', '.join(about.labels) or 'none'}"
    yield from _unheard(rule, channels)


def _unheard(rule: AlertRule, channels: Collection[str] | None) -> Iterator[tuple[str, str]]:
    """Tell which channels of a rule there are not."""
    known = rule.channels if channels is None else channels
    for name in rule.channels:
        if name not in known:
            yield "channels", f"there is no channel {name}: {', '.join(known)}"
