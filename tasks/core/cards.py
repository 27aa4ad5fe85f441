"""The card that travels with a model: what it must know about itself to be used, judged and explained."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

POOLED = "all"
"""The group of intervals that holds every row."""


@dataclass(frozen=True)
class Card:
    """What a model must know about itself; plain JSON."""

    features: list[str]
    training_start: str
    training_end: str
    """Last session whose outcome the model has seen in fitting or calibration."""
    holdout_start: str
    """First session kept from fitting; the fit ends before it."""
    sessions: int
    rows: int
    holdout_sessions: int
    seed: int
    quantiles: dict[str, dict[str, float]] = field(default_factory=dict)
    """Interval half-widths in scales, by group of rows (`POOLED` always) and by level in percent."""
    scale_feature: str | None = None
    typical_scale: float = 0.0
    feature_set: str | None = None
    groups: dict[str, list[float]] = field(default_factory=dict)
    """What puts a row into a group of intervals: by feature the bounds between groups; none: all are one."""
    members: dict[str, float] = field(default_factory=dict)
    """Weight of each learner in the mean that the model's forecasts are; none: it is of one piece."""
    reference: dict[str, Any] = field(default_factory=dict)
    """What the features looked like in training, for those who watch them drift; none: nobody noted it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a card; unknown entries, of a newer writer, are dropped.

        Cards from before intervals had groups give widths by level alone: those of all rows.
        """
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__}
        widths = known.get("quantiles", {})
        if any(not isinstance(width, Mapping) for width in widths.values()):
            known["quantiles"] = {POOLED: dict(widths)}
        return cls(**known)
