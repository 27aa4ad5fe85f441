"""The card that travels with a model: what it must know about itself to be used, judged and explained."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

SHAPES: Mapping[str, Any] = {
    "features": list,
    "quantiles": Mapping,
    "groups": Mapping,
    "members": Mapping,
    "reference": Mapping,
    "feature_set": str | None,
}
"""What a card's entries are, of those that are looked into or compared."""
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
    """Weight of each learner in the sum that the model's forecasts are, no mean: together they weigh 1.35.

    None: the model is of one piece."""
    reference: dict[str, Any] = field(default_factory=dict)
    """What the features looked like in training, for those who watch them drift; none: nobody noted it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a card; unknown entries, of a newer writer, are dropped.

        Cards from before intervals had groups give widths by level alone: those of all rows.

        Raises:
            TypeError: an entry is missing, or of another shape.
        """
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__}
        _refuse_shapes(known)
        widths = known.get("quantiles", {})
        if any(not isinstance(width, Mapping) for width in widths.values()):
            known["quantiles"] = {POOLED: dict(widths)}
        return cls(**known)


def _refuse_shapes(known: Mapping[str, Any]) -> None:
    wrong = [name for name, kind in SHAPES.items() if name in known and not isinstance(known[name], kind)]
    if not all(isinstance(name, str) for name in known.get("features") or ()):
        wrong.append("features")
    if wrong:
        message = f"of another shape: {', '.join(wrong)}"
        raise TypeError(message)
