"""What the watch makes of lag."""

import pytest

from infra.wiring import routes
from tasks.looking import _beyond


def test_a_flow_that_may_take_long_does_not_lag_meanwhile() -> None:
    """A training commits at its end; what it takes beyond its wiring's patience counts."""
    [patience] = {route.stalled_after_s for route in routes() if route.flow == "retrain"}
    assert patience
    assert _beyond("retrain", 120.0) == 0.0
    assert _beyond("retrain", patience + 30.0) == pytest.approx(30.0)
    assert _beyond("predict", 30.0) == 30.0
