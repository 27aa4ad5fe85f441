"""What is said of models: who asks for a training, what it made, who serves, what a challenger says."""

from typing import ClassVar

from pydantic import Field

from events.fields import Count, Flag, Number, Payload, SessionDate, Symbol, Text


class ModelRetrainingTriggered(Payload):
    """Somebody or something asks for a training on data up to `data_end_date`."""

    schema_version: ClassVar[int] = 2
    reason: Text
    data_end_date: SessionDate
    detail: Text | None = None
    statistic: Number | None = None
    """What was measured, in the reason's unit."""
    threshold: Number | None = None
    model_version: Text | None = None
    """The version that served when it was measured."""


class ModelTrained(Payload):
    """A training ended and registered `model_version`; errors in `performance` are rupees."""

    schema_version: ClassVar[int] = 3
    model_version: Text
    performance: dict[str, Number]
    features_used: list[Text]
    artifact_location: Text
    baseline_performance: dict[str, Number] | None = None
    """The same measures of persistence on the same held-out sessions."""
    feature_set: Text | None = None
    training_start: SessionDate | None = None
    training_end: SessionDate | None = None
    data_version: Count | None = None
    run_id: Text | None = None
    artifact_sha256: Text | None = None
    promoted: Flag | None = None
    why: Text | None = None
    triggers: list[Text] = Field(default=[])
    reasons: list[Text] = Field(default=[])
    """The reasons of all requests that this training answers."""
    holdout_start: SessionDate | None = None
    """The first session that was kept from the fit."""
    coverage: dict[str, Number] = Field(default={})
    """Share of held-out rows inside the interval, by its level in percent.

    Measured across the hold-out's thirds: each with the widths that the other two give. The intervals of the
    version itself are calibrated on all of it, where they cover what they say by construction.
    """
    importance: dict[str, Number] = Field(default={})
    """By feature: what shuffling it costs, in the measure that the model card names."""
    code_version: Text | None = None
    models_seen: Count | None = None
    """Up to which offset of `models` (exclusive) it was known who serves when `promoted` was decided."""


class ModelPromoted(Payload):
    """From here on `model_version` serves (a promotion, or a rollback to an earlier version).

    Not where a training says so that did not know of a person's newer decision: see `models_seen`.
    """

    schema_version: ClassVar[int] = 3
    model_version: Text
    previous_version: Text | None = None
    reason: Text
    valid_from: SessionDate | None = None
    """The first session that it predicts; null: every session that it was not trained on."""
    models_seen: Count | None = None
    """As of ModelTrained, where a training decided; null: a person did."""


class ShadowPredicted(Payload):
    """What a version that does not serve says of session `date`: it is judged on the same days."""

    symbol: Symbol
    date: SessionDate
    predicted_close: Number
    model_version: Text
    as_of: SessionDate | None = None
    last_close: Number | None = None
    interval_80: tuple[Number, Number] | None = None
    interval_95: tuple[Number, Number] | None = None
    revision: Count = 0
    retracted: Flag = False
