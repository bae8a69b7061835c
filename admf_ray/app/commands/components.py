"""``+experiment=components``: what can be named in options and keys."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from admf_ray.app.settings import Settings
from admf_ray.core.parameters import Parameter
from admf_ray.indicators import INDICATORS
from admf_ray.logs import log_record
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES

__all__ = ["run"]

_NEVER = 10**9


def run(settings: Settings, console: Console) -> int:  # noqa: ARG001  (every command takes its settings)
    """List every registered strategy, indicator and sizing."""
    strategies = Table("strategy", "parameters: default (bounds)", "inputs", "source", box=SIMPLE_HEAD)
    for strategy in STRATEGIES:
        strategies.add_row(strategy.name, _bounds(strategy.parameters), "\n".join(strategy.inputs), strategy.source)
    indicators = Table(
        "indicator", "pattern", "parameters: default (bounds)", "outputs", "warm-up, convergence", "source"
    )
    indicators.box = SIMPLE_HEAD
    for indicator in INDICATORS:
        defaults = tuple(float(parameter.default) for parameter in indicator.parameters)
        bars = f"{indicator.warm_up(defaults):,}, {_bars(indicator.convergence(defaults))}"
        outputs = ", ".join(indicator.outputs)
        indicators.add_row(
            indicator.name,
            ", ".join(indicator.inputs),
            indicator.pattern,
            _bounds(indicator.parameters),
            outputs,
            bars,
            indicator.source,
        )
    sizings = Table("sizing", "source", box=SIMPLE_HEAD)
    for sizing in SIZINGS:
        sizings.add_row(sizing.name, sizing.source)
    for table in (strategies, indicators, sizings):
        console.print(table)
    families: dict[str, Any] = {"strategies": STRATEGIES, "indicators": INDICATORS, "sizings": SIZINGS}
    log_record("COMPONENTS", {family: registry.names() for family, registry in families.items()})
    return 0


def _bounds(parameters: Sequence[Parameter]) -> str:
    return "\n".join(f"{one.name}: {one.default:g} ({one.low:g} to {one.high:g})" for one in parameters) or "none"


def _bars(count: int) -> str:
    """Write a convergence; what adds up for ever has none."""
    return "never" if count >= _NEVER else f"{count:,}"
