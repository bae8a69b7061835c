"""The settings of what decides: strategy, ensemble, classifiers."""

from collections.abc import Mapping, Sequence

from admf_ray.app.sections import NotNegative, Section, SpanSettings

__all__ = [
    "ClassifierSettings",
    "EnsembleSettings",
    "MemberSettings",
    "Range",
    "Searched",
    "StrategySettings",
    "WatchSettings",
]


class Range(Section):
    """One searched parameter: low, low + step, ... up to high; drawn without a step any number, or any whole one."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


Searched = Range | Sequence[float] | float
"""What a search goes through of a parameter, or its only value."""


class StrategySettings(Section):
    """``strategy``: a registered name, its parameters, the space that a search goes through, what regimes change.

    With other members of an ensemble or a classifier, ``params`` and ``space`` take the names of all their parameters:
    see `admf_ray.engine.composition.Composition`.
    """

    name: str | None = "sma_cross"
    params: Mapping[str, float] = {}
    space: Mapping[str, Searched] = {}
    trades_in: Mapping[str, Sequence[str]] = {}
    by_regime: Mapping[str, Mapping[str, float]] = {}


class MemberSettings(Section):
    """``ensemble.members.<name>``: a further strategy, registered under that name unless ``strategy`` says another."""

    strategy: str | None = None
    params: Mapping[str, float] = {}
    space: Mapping[str, Searched] = {}
    trades_in: Mapping[str, Sequence[str]] = {}
    by_regime: Mapping[str, Mapping[str, float]] = {}


class EnsembleSettings(Section):
    """``ensemble``: how targets become one, the strategies beside ``strategy``, weights by name (equal unless said)."""

    kind: str | None = None
    members: Mapping[str, MemberSettings] = {}
    weights: Mapping[str, NotNegative] = {}


class WatchSettings(Section):
    """``filters.<name>``: a classifier, the symbol and the timeframe that it looks at."""

    name: str | None = None
    params: Mapping[str, float] = {}
    symbol: str | None = None
    timeframe: str | None = None


class ClassifierSettings(WatchSettings):
    """``classifier``: the one whose labels are the regimes, and the span on which all that are fitted are."""

    fit: SpanSettings = SpanSettings()
