"""``+experiment=components``: what can be named in options and keys."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from admf_ray.app.settings import Settings
from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.core.parameters import Parameter
from admf_ray.indicators import INDICATORS, Indicator
from admf_ray.logs import log_record
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES

__all__ = ["run"]

_NEVER = 10**9


def run(settings: Settings, console: Console) -> int:  # noqa: ARG001  (every command takes its settings)
    """List every registered part, family by family: its name, what it takes and gives, and where it is from."""
    lines = ["strategies"]
    for strategy in STRATEGIES:
        lines += [f"  {strategy.name}: {_bounds(strategy.parameters)}; reads {', '.join(strategy.inputs) or 'bars'}"]
        lines += [f"      {strategy.source}"]
    lines.append("classifiers")
    for classifier in CLASSIFIERS:
        lines += [f"  {_classifier(classifier)}", f"      {classifier.source}"]
    lines.append("indicators")
    for indicator in INDICATORS:
        lines += [f"  {_indicator(indicator)}", f"      {indicator.source}"]
    lines.append("sizings")
    lines += [f"  {sizing.name}: {sizing.source}" for sizing in SIZINGS]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    families: dict[str, Any] = {
        "strategies": STRATEGIES,
        "classifiers": CLASSIFIERS,
        "indicators": INDICATORS,
        "sizings": SIZINGS,
    }
    log_record("COMPONENTS", {family: registry.names() for family, registry in families.items()})
    return 0


def _classifier(classifier: Classifier) -> str:
    labels = ", ".join(classifier.labels(classifier.defaults))
    fitted = "; fitted" if classifier.fit else ""
    return (
        f"{classifier.name}: {_bounds(classifier.parameters)}; labels {labels}; "
        f"reads {', '.join(classifier.inputs)}{fitted}"
    )


def _indicator(indicator: Indicator) -> str:
    defaults = tuple(float(parameter.default) for parameter in indicator.parameters)
    key = f"{indicator.name}({', '.join([*indicator.inputs, *(one.name for one in indicator.parameters)])})"
    convergence = indicator.convergence(defaults)
    forgets = "never forgets" if convergence >= _NEVER else f"convergence {convergence:,}"
    return (
        f"{key}: {indicator.pattern}; gives {', '.join(indicator.outputs)}; {_bounds(indicator.parameters)}; "
        f"warm-up {indicator.warm_up(defaults):,}, {forgets}"
    )


def _bounds(parameters: Sequence[Parameter]) -> str:
    return (
        ", ".join(f"{one.name} {one.default:g} ({one.low:g} to {one.high:g})" for one in parameters) or "no parameters"
    )
