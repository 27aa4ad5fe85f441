"""What somebody looks after is not told again until it is over, or graver."""

from hypothesis import given
from hypothesis import strategies as st

from events.payloads import AlertAcknowledged, AlertRaised, AlertResolved, Payload
from tasks.core.looked_after import Care, Heard, audible


def raised(severity: str = "warning", alert_id: str | None = "a") -> AlertRaised:
    """An alert."""
    return AlertRaised(rule="r", severity=severity, message="m", alert_id=alert_id)


def acknowledged(alert_id: str = "a") -> AlertAcknowledged:
    """Somebody looks after it."""
    return AlertAcknowledged(rule="r", alert_id=alert_id, by="an operator")


def resolved(alert_id: str = "a") -> AlertResolved:
    """It is over."""
    return AlertResolved(rule="r", message="m", alert_id=alert_id)


def heard(*payloads: Payload) -> list[Heard]:
    """Events at offsets 0, 1, 2 and so on."""
    return [Heard(number, f"e{number}", payload) for number, payload in enumerate(payloads)]


def told(*payloads: Payload) -> list[int]:
    """Offsets of what may be told, acknowledgements left out."""
    found, _ = audible(heard(*payloads), [], {})
    return [one.offset for one in found if not isinstance(one.payload, AlertAcknowledged)]


def test_what_is_looked_after_is_not_told_again() -> None:
    """Others are, and those of an older writer, which have no identity."""
    later = (raised(), raised("info"), raised(alert_id="b"), raised(alert_id=None))
    assert told(raised(), acknowledged(), *later) == [0, 4, 5]


def test_it_is_told_again_once_it_was_over() -> None:
    """Its end is told as well."""
    assert told(raised(), acknowledged(), resolved(), raised()) == [0, 2, 3]


def test_it_is_told_when_it_gets_graver() -> None:
    """And from then on, until somebody looks after it again."""
    again = (raised("critical"), raised("critical"), acknowledged(), raised("critical"))
    assert told(raised(), acknowledged(), raised(), *again) == [0, 3, 4]


def test_care_is_known_to_later_slices() -> None:
    """At the severity that the read side knows; where it does not the alert is as grave as can be."""
    _, cares = audible(heard(acknowledged()), [], {"a": "warning"})
    assert cares == [Care("a", 0, "warning")]
    [risen], [ended] = audible([Heard(5, "e", raised("critical"))], cares, {})
    assert (risen.offset, ended) == (5, Care("a", 0, "warning", 5))
    _, unknown = audible(heard(acknowledged()), [], {})
    assert audible([Heard(5, "e", raised("critical"))], unknown, {}) == ([], [])


def test_who_answers_behind_the_end_looks_after_nothing() -> None:
    """He meant what is over: what comes is told, until somebody answers that."""
    assert told(raised(), resolved(), acknowledged(), raised(), acknowledged(), raised()) == [0, 1, 3]


def test_an_end_is_known_to_later_slices() -> None:
    """Also where the read side has not heard of it; who answers behind it looks after nothing then."""
    _, over = audible(heard(resolved()), [], {"a": "warning"})
    assert over == [Care("a", 0, "critical", 0)]
    assert audible([Heard(5, "e", acknowledged())], [], {"a": None})[1] == []


EVENTS = st.lists(
    st.one_of(
        st.builds(raised, st.sampled_from(("info", "warning", "critical")), st.sampled_from("ab")),
        st.builds(acknowledged, st.sampled_from("ab")),
        st.builds(resolved, st.sampled_from("ab")),
    ),
    max_size=20,
)


@given(EVENTS, st.integers(0, 20))
def test_where_slices_are_cut_says_nothing(payloads: list[Payload], cut: int) -> None:
    """Whoever takes the second half sees what the first left, also what a longer attempt left beyond it."""
    events = heard(*payloads)
    whole, left = audible(events, [], {})
    first, cares = audible(events[:cut], [], {})
    known = {c.offset: c for c in [*left, *cares]}
    below = [c for c in known.values() if c.offset < cut and (c.over_at is None or c.over_at >= cut)]
    said = {_about(e): getattr(e.payload, "severity", None) for e in events[:cut] if _tells(e.payload)}
    second, _ = audible(events[cut:], below, said)
    assert [*first, *second] == whole


def _tells(payload: Payload) -> bool:
    return isinstance(payload, AlertRaised | AlertResolved)


def _about(event: Heard) -> str:
    return str(getattr(event.payload, "alert_id", None))
