"""The classes of instruments that a simulated market holds, and how they trade."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A class of instruments."""

    share: float
    """Fraction of all symbols."""
    price: float
    """Median price at the start, rupees."""
    spread: float
    """Deviation of the log price around it."""
    noise: float
    """Deviation of a symbol's own daily log return."""
    beta: float
    trades: float
    """Chance of a trade in a session."""
    volume: float
    """Median units a session."""


KINDS = {
    "equity": Kind(0.72, 450.0, 0.7, 0.017, 1.0, 0.997, 9_000.0),
    "fund": Kind(0.10, 10.0, 0.1, 0.008, 0.35, 0.93, 12_000.0),
    "debenture": Kind(0.10, 1_050.0, 0.04, 0.009, 0.0, 0.45, 60.0),
    "promoter": Kind(0.08, 220.0, 0.4, 0.018, 0.6, 0.35, 900.0),
}
